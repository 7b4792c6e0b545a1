package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// document is the file that infra/offline/schema.py writes.
type document struct {
	Provider    entry            `json:"provider"`
	Resources   map[string]entry `json:"resource_schemas"`
	DataSources map[string]entry `json:"data_source_schemas"`
}

type entry struct {
	Version int64 `json:"version"`
	Block   block `json:"block"`
}

type block struct {
	Attributes map[string]attribute `json:"attributes"`
	BlockTypes map[string]nested    `json:"block_types"`
}

type attribute struct {
	Type     json.RawMessage `json:"type"`
	Required bool            `json:"required"`
	Optional bool            `json:"optional"`
	Computed bool            `json:"computed"`
	Values   []string        `json:"values"` // the only ones it takes, if it is said
}

type nested struct {
	Mode     string `json:"nesting_mode"`
	Block    block  `json:"block"`
	MinItems int64  `json:"min_items"`
	MaxItems int64  `json:"max_items"`
}

var nesting = map[string]tfprotov6.SchemaNestedBlockNestingMode{
	"list":   tfprotov6.SchemaNestedBlockNestingModeList,
	"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
	"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
}

func load(path string) (document, error) {
	var read document
	content, err := os.ReadFile(path)
	if err != nil {
		return read, err
	}
	return read, json.Unmarshal(content, &read)
}

func (e entry) schema() (*tfprotov6.Schema, error) {
	inner, err := e.Block.schema()
	return &tfprotov6.Schema{Version: e.Version, Block: inner}, err
}

func (b block) schema() (*tfprotov6.SchemaBlock, error) {
	result := &tfprotov6.SchemaBlock{}
	for _, name := range sorted(b.Attributes) {
		described := b.Attributes[name]
		kind, err := tftypes.ParseJSONType(described.Type) //nolint:staticcheck // the only reader of this form
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		result.Attributes = append(result.Attributes, &tfprotov6.SchemaAttribute{
			Name: name, Type: kind, Required: described.Required,
			Optional: described.Optional, Computed: described.Computed,
		})
	}
	for _, name := range sorted(b.BlockTypes) {
		described := b.BlockTypes[name]
		inner, err := described.Block.schema()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		mode, known := nesting[described.Mode]
		if !known {
			return nil, fmt.Errorf("%s: nesting mode %q", name, described.Mode)
		}
		result.BlockTypes = append(result.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name, Block: inner, Nesting: mode,
			MinItems: described.MinItems, MaxItems: described.MaxItems,
		})
	}
	return result, nil
}

func schemas(entries map[string]entry) (map[string]*tfprotov6.Schema, error) {
	result := map[string]*tfprotov6.Schema{}
	for name, described := range entries {
		schema, err := described.schema()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		result[name] = schema
	}
	return result, nil
}

func sorted[V any](table map[string]V) []string {
	names := make([]string, 0, len(table))
	for name := range table {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
