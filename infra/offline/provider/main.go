// A provider named google that knows every argument of the real one and has no cloud behind it.
//
// It serves the schema that lies beside its executable, plans what the real provider would plan as far as
// the schema says it, and makes up the values that only the cloud can know, always the same ones for the
// same configuration. Its state is the one that tofu keeps. What it cannot know, and so does not do: most
// changes that replace a resource, defaults that the provider sends, blocks that the cloud adds, and most
// checks of values.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

func main() {
	// tofu links the package into its own folder: the schema is beside the file, not beside the link
	executable, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	executable, err = filepath.EvalSymlinks(executable)
	if err != nil {
		log.Fatal(err)
	}
	document, err := load(filepath.Join(filepath.Dir(executable), "schema.json"))
	if err != nil {
		log.Fatal(err)
	}
	server, err := newServer(document)
	if err != nil {
		log.Fatal(err)
	}
	serve := func() tfprotov6.ProviderServer { return server }
	if err := tf6server.Serve("registry.opentofu.org/hashicorp/google", serve); err != nil {
		log.Fatal(err)
	}
}
