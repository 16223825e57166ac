package dataset

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/text"
)

var (
	// numberedPart matches the name of a part that says how many there are:
	// train-00000-of-00002.parquet. Some writers put a hash behind it.
	numberedPart = regexp.MustCompile(`^(.*?)(\d+)-of-(\d+)`)

	// cifarPart matches the batches of CIFAR-10, which has 5, and of ImageNet in its form, which
	// has 10.
	cifarPart = regexp.MustCompile(`^((?:train_)?data_batch_)(\d+)(\.bin)?$`)
)

// maxPartsNamed bounds the parts that a name may claim.
const maxPartsNamed = 1 << 16

// A partList has the parts of a set that are there.
type partList struct {
	total int
	seen  map[int]bool
	name  func(i int) string
}

// noteMissingParts says which parts of a set are not there, by the names of its files and archives.
func (p *place) noteMissingParts(set *Set, files []*tree.File) {
	if p.chosen != "" {
		return // the others may be there, and are not meant
	}
	names := slices.Clone(p.archives)
	for _, f := range files {
		names = append(names, f.Name)
	}
	lists := map[string]*partList{}
	var order []string
	for _, name := range names {
		key, number, list := partIn(name)
		if key == "" {
			continue
		}
		if lists[key] == nil {
			lists[key] = list
			order = append(order, key)
		}
		lists[key].seen[number] = true
	}
	for _, key := range order {
		if missing := lists[key].missing(); len(missing) > 0 {
			n := lists[key].total - len(missing)
			shown := missing[:min(len(missing), shownNames)]
			names := text.Printable(strings.Join(shown, ", "))
			if more := len(missing) - len(shown); more > 0 {
				names += " and " + text.Count(more, "other", "others")
			}
			set.note("%d of %d parts %s there: %s %s missing", n, lists[key].total, isAre(n), names, isAre(len(missing)))
		}
	}
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// partIn returns the number of a part, a key that the parts of a set have in common, and a list for
// them. The key is empty for a file that is not one of several parts.
func partIn(name string) (key string, number int, list *partList) {
	folder, base := path.Split(name)
	list = &partList{seen: map[int]bool{}}
	var prefix, digits string
	if m := numberedPart.FindStringSubmatch(base); m != nil {
		prefix, digits = m[1], m[2]
		list.total, _ = strconv.Atoi(m[3]) // one that is too large gives the largest number
		list.name = func(i int) string { return fmt.Sprintf("%s%0*d-of-%s", prefix, len(digits), i, m[3]) }
	} else if m := cifarPart.FindStringSubmatch(base); m != nil {
		prefix, digits = m[1], m[2]
		list.total = map[string]int{"data_batch_": 5, "train_data_batch_": 10}[prefix]
		list.name = func(i int) string { return prefix + strconv.Itoa(i+1) + m[3] }
	}
	number, err := strconv.Atoi(digits)
	if err != nil || list.total < 1 || list.total > maxPartsNamed {
		return "", 0, nil
	}
	if !strings.Contains(base, "-of-") {
		number-- // the batches are numbered from 1
	}
	return fmt.Sprint(folder, prefix, " ", list.total, path.Ext(base)), number, list
}

// missing returns the names of the parts that are not there. Parts are numbered from 0, and from 1
// where there is one with the highest number and none with 0.
func (l *partList) missing() []string {
	first := 0
	if l.seen[l.total] && !l.seen[0] {
		first = 1
	}
	var list []string
	for i := first; i < first+l.total; i++ {
		if !l.seen[i] {
			list = append(list, l.name(i))
		}
	}
	return list
}
