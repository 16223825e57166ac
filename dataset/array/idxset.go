package array

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset/tree"
)

// idxName matches the names, in lower case, of IDX files: train-images-idx3-ubyte.gz and its
// variants. "t10k" and "test" mean test images, Kaggle has dots for hyphens, EMNIST puts a prefix
// before, QMNIST has labels of several columns, and browsers number a second download. The
// expression captures what comes before the format.
var idxName = regexp.MustCompile(`^(.*)[-_.]idx[1-4]([-_.]\w+)*( \(\d+\))?(\.gz)?( \(\d+\))?$`)

// otherIDXName matches names that IDX files have where their format is not in the name: the first
// bytes must tell it.
var otherIDXName = regexp.MustCompile(`^([^.]*?)([-_.](ubyte|idx|bin))?(\.gz)?$`)

// idxStem returns what comes before the format in the name of an IDX file; ok is false for others.
func idxStem(f *tree.File) (stem string, ok bool) {
	base := strings.ToLower(path.Base(f.Name))
	if m := idxName.FindStringSubmatch(base); m != nil {
		return m[1], true
	}
	m := otherIDXName.FindStringSubmatch(base)
	if m == nil {
		return "", false
	}
	if _, _, role := words(m[1]); role == "" {
		return "", false
	}
	a, err := readIDX(f)
	return m[1], err == nil && a.check() == nil && (a.packed || a.stored == int64(a.count()*a.kind.size))
}

// findIDX finds the sets of IDX files.
func findIDX(files []*tree.File) []Source {
	sets := newGroups(files)
	for _, f := range plainFirst(files) {
		stem, ok := idxStem(f)
		if !ok {
			continue
		}
		prefix, part, role := words(stem)
		if role == "" {
			continue
		}
		g := sets.of(folderOf(f), "IDX files", prefix)
		g.add(member{name: path.Base(f.Name), part: part, role: role, load: func(*recipe) (numbers, error) { return readIDX(f) }}, f)
	}
	return sets.sources()
}

// plainFirst puts each file before the same one compressed, so that the uncompressed one counts.
func plainFirst(files []*tree.File) []*tree.File {
	sorted := slices.Clone(files)
	slices.SortStableFunc(sorted, func(a, b *tree.File) int { return strings.Compare(a.Name, b.Name) })
	return sorted
}
