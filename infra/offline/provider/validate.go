package main

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// tofu itself checks names, types, blocks and what is required. What is left to a provider is to refuse a
// value for an attribute that only the cloud decides, and one that the attribute does not take.

func (s *server) ValidateResourceConfig(_ context.Context, asked *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	problems, err := problemsOf(s.resources, s.document.Resources, asked.TypeName, asked.Config)
	return &tfprotov6.ValidateResourceConfigResponse{Diagnostics: problems}, err
}

func (s *server) ValidateDataResourceConfig(_ context.Context, asked *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	problems, err := problemsOf(s.dataSources, s.document.DataSources, asked.TypeName, asked.Config)
	return &tfprotov6.ValidateDataResourceConfigResponse{Diagnostics: problems}, err
}

func problemsOf(schemas map[string]*tfprotov6.Schema, entries map[string]entry, name string, asked *tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic, error) {
	schema, err := named(schemas, name)
	if err != nil {
		return nil, err
	}
	config, err := asked.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	return problemsIn(entries[name].Block, config, tftypes.NewAttributePath())
}

func problemsIn(described block, config tftypes.Value, path *tftypes.AttributePath) ([]*tfprotov6.Diagnostic, error) {
	given, err := fields(config)
	if err != nil || given == nil {
		return nil, err
	}
	var problems []*tfprotov6.Diagnostic
	for _, name := range sorted(described.Attributes) {
		about, at := described.Attributes[name], path.WithAttributeName(name)
		switch {
		case given[name].IsNull():
		case !about.Required && !about.Optional:
			problems = append(problems, problem(at, "Only the cloud decides this attribute",
				"The provider does not take a value for \""+name+"\"."))
		default:
			for _, text := range refused(about.Values, given[name]) {
				problems = append(problems, problem(at, "Not one of the possible values",
					"\""+text+"\" is none of "+strings.Join(about.Values, ", ")+"."))
			}
		}
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
			inner, err := problemsIn(about.Block, element, step(about, path.WithAttributeName(name), index, element))
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

func problem(at *tftypes.AttributePath, summary, detail string) *tfprotov6.Diagnostic {
	return &tfprotov6.Diagnostic{
		Severity: tfprotov6.DiagnosticSeverityError, Summary: summary, Detail: detail, Attribute: at,
	}
}

// refused are the texts in a value, or in its elements, that are not among the possible ones.
func refused(possible []string, value tftypes.Value) []string {
	if possible == nil || !value.IsKnown() || value.IsNull() {
		return nil
	}
	if found, is := text(value); is {
		if slices.Contains(possible, found) {
			return nil
		}
		return []string{found}
	}
	var result []string
	var elements []tftypes.Value
	if value.As(&elements) == nil {
		for _, element := range elements {
			result = append(result, refused(possible, element)...)
		}
	}
	return result
}
