package model

import (
	"slices"
	"strings"
	"testing"
)

func TestClasses(t *testing.T) {
	list := ClassList{Model: "m", N: 3, Names: []string{"zero", "T-shirt", "2"}, Null: true}
	for text, want := range map[string][]int32{
		"1": {1}, "0-2": {0, 1, 2}, "2,0,0": {2, 0, 0}, "zero, t-shirt": {0, 1},
		"1-1,2": {1, 2}, "none": {3}, "1,none, 0": {1, 3, 0},
	} {
		if got, _, err := list.Parse(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "3", "-1", "0-3", "2-1", "one", "1,,2", "1-", "99999999999999999999"} {
		if got, _, err := list.Parse(bad); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
	for text, want := range map[string]string{"2-1": "a range goes upwards: 1-2", "one": "names of zero, T-shirt, 2"} {
		if _, _, err := list.Parse(text); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
	got := FirstNames(strings.Split(strings.Repeat("a", 14), ""))
	if !strings.HasSuffix(got.String(), "a, a and 2 more (model show lists them)") {
		t.Errorf("many names are %s", got)
	}
	list.Null = false
	if got, _, err := list.Parse("1,none"); err == nil {
		t.Errorf("without a class for none, none was read as %v", got)
	}
}
