package dataset

import (
	"path"
	"strings"

	"github.com/fmimg/fmimg/internal/text"
)

// An index finds pictures by what a table calls them.
type index struct {
	exact map[string]int // paths
	short map[string]int // alike, with folders and with endings left out; -1 where several fit

	of [2]*index // of the pictures to train on and to test on alone; nil where they are not divided
}

// newIndex makes an index of paths. roles says what the pictures are for, or is nil.
func newIndex(names []string, roles []role) *index {
	x := newIndexOf(names, func(i int) bool { return len(roles) == 0 || roles[i] != outside })
	if !divided(roles) {
		return x
	}
	for _, r := range []role{toTrain, toTest} {
		x.of[r] = newIndexOf(names, func(i int) bool { return roles[i] == r })
	}
	return x
}

// indexedDepth is the number of folders of a path that a table may leave out, one after the other.
const indexedDepth = 5

func newIndexOf(names []string, is func(i int) bool) *index {
	x := &index{exact: make(map[string]int, len(names)), short: make(map[string]int, 2*len(names))}
	add := func(key string, i int) {
		if at, ok := x.short[key]; ok && at != i {
			i = -1
		}
		x.short[key] = i
	}
	for i, name := range names {
		if !is(i) {
			continue
		}
		x.exact[name] = i
		key := alike(name)
		for range indexedDepth {
			add(key, i)
			add(strings.TrimSuffix(key, path.Ext(key)), i)
			_, below, ok := strings.Cut(key, "/")
			if !ok {
				break
			}
			key = below
		}
		base := path.Base(alike(name))
		stem := strings.TrimSuffix(base, path.Ext(base))
		add(base, i)
		add(stem, i)
		if short := withoutZeros(stem); short != stem { // tables of numbers lose them
			add(short, i)
		}
	}
	return x
}

// alike returns a form of a name that is the same for capitals and small letters, and however its
// accents are stored: macOS stores them apart from the letters, and most tables do not.
func alike(name string) string { return strings.ToLower(text.Composed(name)) }

// withoutZeros returns a number without zeros before it, and other texts as they are.
func withoutZeros(s string) string {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return s
	}
	if short := strings.TrimLeft(s, "0"); short != "" {
		return short
	}
	return "0"
}

// A finder returns the picture that a table calls by a name, -1 for none.
type finder func(called string) int

// ways returns the ways of finding the pictures of a table, the surest first: in the table's own
// folder, among the pictures that its name tells of (train.csv), among all.
func (x *index) ways(t *table) []finder {
	list := []finder{x.find}
	if r, ok := tableRole(t); ok && x.of[r] != nil {
		list = append([]finder{x.of[r].find}, list...)
	}
	if folder := path.Dir(t.place); t.place != "" && folder != "." {
		list = append([]finder{func(called string) int { return x.findBelow(folder, called) }}, list...)
	}
	return list
}

// finder returns the way that finds most.
func (x *index) finder(t *table) finder {
	ways := x.ways(t)
	return ways[len(ways)-1]
}

// find looks up a name. The table may know folders above the data, or none, and may leave the
// ending out.
func (x *index) find(called string) int {
	for rest := cleaned(called); ; {
		if i, ok := x.exact[rest]; ok {
			return i
		}
		if i, ok := x.short[alike(rest)]; ok {
			return i
		}
		_, below, ok := strings.Cut(rest, "/")
		if !ok {
			return -1
		}
		rest = below
	}
}

// findBelow looks up a path from a folder.
func (x *index) findBelow(folder, called string) int {
	name := folder + "/" + cleaned(called)
	if i, ok := x.exact[name]; ok {
		return i
	}
	if i, ok := x.short[alike(name)]; ok {
		return i
	}
	return -1
}

// several reports whether a name fits several pictures.
func (x *index) several(called string) bool {
	name := alike(path.Base(cleaned(called)))
	i, ok := x.short[name]
	return ok && i < 0
}

// cleaned returns a table's name of a picture with slashes.
func cleaned(called string) string {
	if strings.Contains(called, "://") {
		called, _, _ = strings.Cut(called, "?")
	}
	return strings.TrimPrefix(path.Clean(strings.ReplaceAll(strings.TrimSpace(called), `\`, "/")), "/")
}

// listWords are words in the names of tables that say nothing of a split.
var listWords = append([]string{
	"labels", "label", "list", "lists", "annotations", "annotation", "metadata", "meta", "info", "gt", "groundtruth",
	"ground", "truth", "solution", "solutions", "df", "y", "index", "file", "filelist", "class", "classes", "csv", "names",
}, splitFillers...)

// listRole tells from a table's name which pictures it is about: train.csv, val_annotations.txt.
func listRole(name string) (r role, ok bool) {
	base := strings.TrimSuffix(path.Base(name), path.Ext(name))
	return splitAmong(strings.FieldsFunc(strings.ToLower(base), noLetterOrDigit), listWords)
}

// tableRole is listRole, and takes the nearest folder that tells where the name does not.
func tableRole(t *table) (r role, ok bool) {
	if r, ok = listRole(t.path); ok {
		return r, true
	}
	for folder := path.Dir(t.place); folder != "." && folder != "/" && t.place != ""; folder = path.Dir(folder) {
		if r, _, ok = splitOf(path.Base(folder)); ok {
			return r, true
		}
	}
	return outside, false
}
