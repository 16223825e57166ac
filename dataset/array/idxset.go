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
// before, and QMNIST has labels of several columns. The expression captures what comes before the
// format.
var idxName = regexp.MustCompile(`^(.*)[-_.]idx[1-4]([-_.]\w+)?(\.gz)?$`)

// findIDX finds the sets of IDX files.
func findIDX(files []*tree.File) []Source {
	sets := newGroups(files)
	for _, f := range plainFirst(files) {
		base := path.Base(f.Name)
		m := idxName.FindStringSubmatch(strings.ToLower(base))
		if m == nil {
			continue
		}
		prefix, part, role := words(m[1])
		if role == "" {
			continue
		}
		g := sets.of(f, "IDX files", prefix)
		g.add(member{name: base, part: part, role: role, load: func(*recipe) (numbers, error) { return readIDX(f) }}, f)
	}
	return sets.sources()
}

// plainFirst puts each file before the same one compressed, so that the uncompressed one counts.
func plainFirst(files []*tree.File) []*tree.File {
	sorted := slices.Clone(files)
	slices.SortStableFunc(sorted, func(a, b *tree.File) int { return strings.Compare(a.Name, b.Name) })
	return sorted
}
