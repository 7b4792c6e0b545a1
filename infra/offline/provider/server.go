package main

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

type server struct {
	document    document
	provider    *tfprotov6.Schema
	resources   map[string]*tfprotov6.Schema
	dataSources map[string]*tfprotov6.Schema
	settings    settings
}

func newServer(read document) (*server, error) {
	provider, err := read.Provider.schema()
	if err != nil {
		return nil, err
	}
	resources, err := schemas(read.Resources)
	if err != nil {
		return nil, err
	}
	dataSources, err := schemas(read.DataSources)
	return &server{document: read, provider: provider, resources: resources, dataSources: dataSources}, err
}

func (s *server) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	result := &tfprotov6.GetMetadataResponse{}
	for _, name := range sorted(s.resources) {
		result.Resources = append(result.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	for _, name := range sorted(s.dataSources) {
		result.DataSources = append(result.DataSources, tfprotov6.DataSourceMetadata{TypeName: name})
	}
	return result, nil
}

func (s *server) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return &tfprotov6.GetProviderSchemaResponse{
		Provider: s.provider, ResourceSchemas: s.resources, DataSourceSchemas: s.dataSources,
	}, nil
}

func (s *server) ValidateProviderConfig(_ context.Context, asked *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: asked.Config}, nil
}

func (s *server) ConfigureProvider(_ context.Context, asked *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	config, err := asked.Config.Unmarshal(s.provider.ValueType())
	if err != nil {
		return nil, err
	}
	s.settings, err = readSettings(config)
	return &tfprotov6.ConfigureProviderResponse{}, err
}

func (s *server) UpgradeResourceState(_ context.Context, asked *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	schema, err := named(s.resources, asked.TypeName)
	if err != nil {
		return nil, err
	}
	state, err := asked.RawState.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	upgraded, err := tfprotov6.NewDynamicValue(schema.ValueType(), state)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &upgraded}, err
}

func (s *server) ReadResource(_ context.Context, asked *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	return &tfprotov6.ReadResourceResponse{NewState: asked.CurrentState, Private: asked.Private}, nil
}

func (s *server) PlanResourceChange(_ context.Context, asked *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	schema, err := named(s.resources, asked.TypeName)
	if err != nil {
		return nil, err
	}
	proposed, err := asked.ProposedNewState.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	prior, err := asked.PriorState.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	if proposed.IsNull() {
		return &tfprotov6.PlanResourceChangeResponse{PlannedState: asked.ProposedNewState}, nil
	}
	described := s.document.Resources[asked.TypeName].Block
	planned, err := s.settings.plan(described, proposed, prior)
	if err != nil {
		return nil, err
	}
	paths, err := replaced(asked.TypeName, described, planned, prior)
	if err != nil {
		return nil, err
	}
	state, err := tfprotov6.NewDynamicValue(schema.ValueType(), planned)
	return &tfprotov6.PlanResourceChangeResponse{PlannedState: &state, RequiresReplace: paths}, err
}

func (s *server) ApplyResourceChange(_ context.Context, asked *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	schema, err := named(s.resources, asked.TypeName)
	if err != nil {
		return nil, err
	}
	planned, err := asked.PlannedState.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	if planned.IsNull() {
		return &tfprotov6.ApplyResourceChangeResponse{NewState: asked.PlannedState}, nil
	}
	made, err := s.settings.fill(asked.TypeName, s.document.Resources[asked.TypeName].Block, planned)
	if err != nil {
		return nil, err
	}
	state, err := tfprotov6.NewDynamicValue(schema.ValueType(), made)
	return &tfprotov6.ApplyResourceChangeResponse{NewState: &state}, err
}

func (s *server) ReadDataSource(_ context.Context, asked *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	schema, err := named(s.dataSources, asked.TypeName)
	if err != nil {
		return nil, err
	}
	config, err := asked.Config.Unmarshal(schema.ValueType())
	if err != nil {
		return nil, err
	}
	inner := s.document.DataSources[asked.TypeName].Block
	none := tftypes.NewValue(schema.ValueType(), nil)
	planned, err := s.settings.plan(inner, config, none)
	if err != nil {
		return nil, err
	}
	read, err := s.settings.fill("data."+asked.TypeName, inner, planned)
	if err != nil {
		return nil, err
	}
	state, err := tfprotov6.NewDynamicValue(schema.ValueType(), read)
	return &tfprotov6.ReadDataSourceResponse{State: &state}, err
}

func named(table map[string]*tfprotov6.Schema, name string) (*tfprotov6.Schema, error) {
	if schema, found := table[name]; found {
		return schema, nil
	}
	return nil, fmt.Errorf("the schema was extracted without %s", name)
}
