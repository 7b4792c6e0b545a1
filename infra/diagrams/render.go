// Renders Graphviz: a diagram's source on standard input, SVG on standard output.
package main

import (
	"context"
	"io"
	"log"
	"os"

	"github.com/goccy/go-graphviz"
)

func main() {
	log.SetFlags(0)
	ctx := context.Background()
	source, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	engine, err := graphviz.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	graph, err := graphviz.ParseBytes(source)
	if err != nil {
		log.Fatal(err)
	}
	if err := engine.Render(ctx, graph, graphviz.SVG, os.Stdout); err != nil {
		log.Fatal(err)
	}
}
