package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// fill returns a planned resource with a value for everything that was unknown.
func (s settings) fill(kind string, described block, planned tftypes.Value) (tftypes.Value, error) {
	now, err := fields(planned)
	if err != nil || now == nil {
		return planned, err
	}
	all, err := s.allLabels(now)
	if err != nil {
		return planned, err
	}
	made := invented{kind: kind, given: texts(now), settings: s, digest: digest(kind, now)}
	for _, name := range []string{"effective_labels", "terraform_labels"} {
		if value, has := now[name]; has && !value.IsKnown() {
			now[name] = all
		}
	}
	// in this order: later values are made from earlier ones
	for _, name := range append([]string{"email", "name", "id"}, sorted(described.Attributes)...) {
		value, has := now[name]
		if has && !value.IsKnown() {
			now[name] = made.value(name, value.Type())
			if text, is := text(now[name]); is {
				made.given[name] = text
			}
		}
	}
	for name, about := range described.BlockTypes {
		if now[name], err = made.nested(about, now[name]); err != nil {
			return planned, err
		}
	}
	return tftypes.NewValue(planned.Type(), now), nil
}

func (i invented) nested(about nested, now tftypes.Value) (tftypes.Value, error) {
	if about.Mode == "single" {
		return i.block(about.Block, now)
	}
	elements, err := list(now)
	if err != nil || elements == nil {
		return now, err
	}
	for index := range elements {
		if elements[index], err = i.block(about.Block, elements[index]); err != nil {
			return now, err
		}
	}
	return tftypes.NewValue(now.Type(), elements), nil
}

func (i invented) block(described block, now tftypes.Value) (tftypes.Value, error) {
	inner, err := fields(now)
	if err != nil || inner == nil {
		return now, err
	}
	for name := range described.Attributes {
		if !inner[name].IsKnown() {
			inner[name] = i.value(name, inner[name].Type())
		}
	}
	for name, about := range described.BlockTypes {
		if inner[name], err = i.nested(about, inner[name]); err != nil {
			return now, err
		}
	}
	return tftypes.NewValue(now.Type(), inner), nil
}

func texts(now map[string]tftypes.Value) map[string]string {
	result := map[string]string{}
	for name, value := range now {
		if found, is := text(value); is {
			result[name] = found
		}
	}
	return result
}

func text(value tftypes.Value) (string, bool) {
	var found string
	if !value.Type().Is(tftypes.String) || !value.IsKnown() || value.IsNull() {
		return "", false
	}
	return found, value.As(&found) == nil
}

func digest(kind string, now map[string]tftypes.Value) string {
	hash := sha256.New()
	fmt.Fprintln(hash, kind)
	given := texts(now)
	for _, name := range sorted(given) {
		fmt.Fprintln(hash, name, given[name])
	}
	return hex.EncodeToString(hash.Sum(nil))
}

func number(value int64) tftypes.Value {
	return tftypes.NewValue(tftypes.Number, big.NewFloat(float64(value)))
}
