package model

import "testing"

// Classes are listed as they can be asked for, with their counts where these are known.
func TestDescribeClasses(t *testing.T) {
	for _, c := range []struct {
		meta Meta
		want string
	}{
		{Meta{Classes: []string{"a", "b"}}, "a, b"},
		{Meta{Classes: []string{"b, c", "x\x1b"}, ClassCounts: []int{3, 0}}, `"b, c" (3), "x\x1b" (0)`},
		{Meta{Classes: []string{"a"}, ClassCounts: []int{4}, Unlabelled: 60}, "a (4), no class (60)"},
	} {
		if got := c.meta.describeClasses(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
