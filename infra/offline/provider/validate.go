package main

import (
	"context"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// tofu itself checks names, types, blocks and what is required. What is left to a provider is to refuse a
// value for an attribute that only the cloud decides.

func (s *server) ValidateResourceConfig(_ context.Context, asked *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	problems, err := unconfigurable(s.resources, s.document.Resources, asked.TypeName, asked.Config)
	return &tfprotov6.ValidateResourceConfigResponse{Diagnostics: problems}, err
}

func (s *server) ValidateDataResourceConfig(_ context.Context, asked *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	problems, err := unconfigurable(s.dataSources, s.document.DataSources, asked.TypeName, asked.Config)
	return &tfprotov6.ValidateDataResourceConfigResponse{Diagnostics: problems}, err
}

func unconfigurable(schemas map[string]*tfprotov6.Schema, entries map[string]entry, name string, asked *tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic, error) {
	schema, err := named(schemas, name)
	if err != nil {
		return nil, err
	}
	config, err := asked.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	return decidedByCloud(entries[name].Block, config, tftypes.NewAttributePath())
}

func decidedByCloud(described block, config tftypes.Value, path *tftypes.AttributePath) ([]*tfprotov6.Diagnostic, error) {
	given, err := fields(config)
	if err != nil || given == nil {
		return nil, err
	}
	var problems []*tfprotov6.Diagnostic
	for _, name := range sorted(described.Attributes) {
		about := described.Attributes[name]
		if about.Required || about.Optional || given[name].IsNull() {
			continue
		}
		problems = append(problems, &tfprotov6.Diagnostic{
			Severity:  tfprotov6.DiagnosticSeverityError,
			Summary:   "Only the cloud decides this attribute",
			Detail:    "The provider does not take a value for \"" + name + "\".",
			Attribute: path.WithAttributeName(name),
		})
	}
	for _, name := range sorted(described.BlockTypes) {
		about := described.BlockTypes[name]
		if about.Mode == "single" {
			continue // timeouts: all of it is optional
		}
		elements, err := list(given[name])
		if err != nil {
			return nil, err
		}
		for index, element := range elements {
			inner, err := decidedByCloud(about.Block, element, step(about, path.WithAttributeName(name), index, element))
			if err != nil {
				return nil, err
			}
			problems = append(problems, inner...)
		}
	}
	return problems, nil
}

func step(about nested, path *tftypes.AttributePath, index int, element tftypes.Value) *tftypes.AttributePath {
	if about.Mode == "set" {
		return path.WithElementKeyValue(element)
	}
	return path.WithElementKeyInt(index)
}
