package main

import (
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// settings are the provider's own: what it fills in where a resource does not say it.
type settings struct {
	defaults map[string]tftypes.Value // project, region, zone
	labels   map[string]tftypes.Value // default_labels
}

func readSettings(config tftypes.Value) (settings, error) {
	read := settings{defaults: map[string]tftypes.Value{}, labels: map[string]tftypes.Value{}}
	var given map[string]tftypes.Value
	if err := config.As(&given); err != nil {
		return read, err
	}
	for _, name := range []string{"project", "region", "zone"} {
		if value, known := given[name]; known && value.IsKnown() && !value.IsNull() {
			read.defaults[name] = value
		}
	}
	labels := given["default_labels"]
	if !labels.IsFullyKnown() || labels.IsNull() {
		return read, nil
	}
	return read, labels.As(&read.labels)
}

// plan returns what a resource will be: as proposed, and what the cloud decides unknown until it was made.
// `prior` is what it was before, or null.
func (s settings) plan(described block, proposed, prior tftypes.Value) (tftypes.Value, error) {
	planned, err := s.planBlock(described, proposed, prior)
	if err != nil || prior.IsNull() {
		return planned, err
	}
	return s.relabel(described, planned)
}

func (s settings) planBlock(described block, proposed, prior tftypes.Value) (tftypes.Value, error) {
	now, err := fields(proposed)
	if err != nil || now == nil {
		return proposed, err
	}
	before, err := fields(prior)
	if err != nil {
		return proposed, err
	}
	for name, about := range described.Attributes {
		if about.Computed && now[name].IsNull() && (before == nil || !known(before, name)) {
			now[name] = s.decided(name, now[name].Type())
		}
	}
	for name, about := range described.BlockTypes {
		if now[name], err = s.planNested(about, now[name], before, name); err != nil {
			return proposed, err
		}
	}
	return tftypes.NewValue(proposed.Type(), now), nil
}

// decided is the value of an attribute that the configuration leaves to the provider or the cloud.
func (s settings) decided(name string, kind tftypes.Type) tftypes.Value {
	if value, given := s.defaults[name]; given && kind.Is(tftypes.String) {
		return value
	}
	return tftypes.NewValue(kind, tftypes.UnknownValue)
}

func (s settings) planNested(about nested, now tftypes.Value, before map[string]tftypes.Value, name string) (tftypes.Value, error) {
	if !now.IsKnown() || now.IsNull() {
		return now, nil
	}
	prior := before[name]
	if about.Mode == "single" {
		return s.planBlock(about.Block, now, prior)
	}
	elements, err := list(now)
	if err != nil {
		return now, err
	}
	earlier, err := list(prior)
	if err != nil {
		return now, err
	}
	for index, element := range elements {
		was := tftypes.NewValue(element.Type(), nil)
		switch {
		case about.Mode == "set":
			for _, other := range earlier {
				if other.Equal(element) {
					was = other
				}
			}
		case index < len(earlier):
			was = earlier[index]
		}
		if elements[index], err = s.planBlock(about.Block, element, was); err != nil {
			return now, err
		}
	}
	return tftypes.NewValue(now.Type(), elements), nil
}

// relabel follows a change of labels in the two attributes that the provider derives from them.
func (s settings) relabel(described block, planned tftypes.Value) (tftypes.Value, error) {
	if _, labelled := described.Attributes["effective_labels"]; !labelled {
		return planned, nil
	}
	now, err := fields(planned)
	if err != nil {
		return planned, err
	}
	all, err := s.allLabels(now)
	if err != nil {
		return planned, err
	}
	for _, name := range []string{"effective_labels", "terraform_labels"} {
		if _, has := described.Attributes[name]; has {
			now[name] = all
		}
	}
	return tftypes.NewValue(planned.Type(), now), nil
}

func (s settings) allLabels(now map[string]tftypes.Value) (tftypes.Value, error) {
	kind := tftypes.Map{ElementType: tftypes.String}
	all, own := map[string]tftypes.Value{}, map[string]tftypes.Value{}
	for name, value := range s.labels {
		all[name] = value
	}
	labels, given := now["labels"]
	if given && !labels.IsKnown() {
		return tftypes.NewValue(kind, tftypes.UnknownValue), nil
	}
	if given && !labels.IsNull() {
		if err := labels.As(&own); err != nil {
			return labels, err
		}
	}
	for name, value := range own {
		all[name] = value
	}
	return tftypes.NewValue(kind, all), nil
}

// fields are an object's values by name; nil for one that is null or unknown.
func fields(value tftypes.Value) (map[string]tftypes.Value, error) {
	if value.Type() == nil || value.IsNull() || !value.IsKnown() {
		return nil, nil
	}
	var result map[string]tftypes.Value
	return result, value.As(&result)
}

func list(value tftypes.Value) ([]tftypes.Value, error) {
	if value.Type() == nil || value.IsNull() || !value.IsKnown() {
		return nil, nil
	}
	var result []tftypes.Value
	return result, value.As(&result)
}

func known(table map[string]tftypes.Value, name string) bool {
	value, found := table[name]
	return found && value.Type() != nil
}
