package main

import (
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// replaced are the attributes whose change makes another object, and so replaces the resource. The schema
// does not say which they are. Two kinds are certain: what an object's identifier is made of, and all of a
// grant, since the provider's documentation has grants without any update. There are more.
func replaced(kind string, described block, planned, prior tftypes.Value) ([]*tftypes.AttributePath, error) {
	now, err := fields(planned)
	if err != nil || now == nil {
		return nil, err
	}
	before, err := fields(prior)
	if err != nil || before == nil {
		return nil, err
	}
	var paths []*tftypes.AttributePath
	for _, name := range identity(kind, described) {
		if _, has := now[name]; has && !now[name].Equal(before[name]) {
			paths = append(paths, tftypes.NewAttributePath().WithAttributeName(name))
		}
	}
	return paths, nil
}

func identity(kind string, described block) []string {
	if strings.HasSuffix(kind, "_iam_member") {
		return append(configurable(described), sorted(described.BlockTypes)...)
	}
	var names []string
	for _, found := range hole.FindAllStringSubmatch(ids[kind], -1) {
		if form, derived := forms[kind+"."+found[1]]; derived {
			for _, inner := range hole.FindAllStringSubmatch(form, -1) {
				names = append(names, inner[1])
			}
		}
		names = append(names, found[1])
	}
	return names
}

func configurable(described block) []string {
	var names []string
	for _, name := range sorted(described.Attributes) {
		if described.Attributes[name].Required || described.Attributes[name].Optional {
			names = append(names, name)
		}
	}
	return names
}
