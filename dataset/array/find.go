package array

import (
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset/tree"
)

// Find recognises the sets of arrays among the files of a folder or archive, at any depth, by their
// names and, where these do not tell, by their first bytes. The sources are sorted by name.
func Find(files []*tree.File) []Source {
	var usable []*tree.File
	for _, f := range files {
		if f.Err == nil && !ofSystem(f.Name) {
			usable = append(usable, f)
		}
	}
	var list []Source
	for _, find := range []func([]*tree.File) []Source{findIDX, findNPY, findNPZ, findCIFAR, findCSV} {
		list = append(list, find(usable)...)
	}
	slices.SortStableFunc(list, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	return list
}
