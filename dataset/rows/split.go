package rows

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go/format"

	"github.com/fmimg/fmimg/internal/tabular"
)

// A splitLeaf is a column that says which part of a set a row is of.
type splitLeaf struct {
	leaf  *leaf
	names []string // of its numbers, nil for none
	means tabular.Split
}

// maxParts bounds the different values of a column of splits. One with more has something else.
const maxParts = 1000

// findSplits finds the columns that divide the rows, by their names and values. One that cannot be
// read is noted: the pictures and labels may be read without it.
func (f *File) findSplits(list []*leaf, known map[string]feature) {
	for _, l := range list {
		kind := tabular.KindOf(l.name())
		if kind == tabular.NoSplit || len(l.path) != 1 || l.repeated || l == f.label || l == f.name || l == f.image || !isScalar(l) {
			continue
		}
		s := splitLeaf{leaf: l, names: known[l.path[0]].Names}
		counts, err := f.count(&s)
		if err != nil {
			f.Notes = append(f.Notes, fmt.Sprintf("the parts of the set are not read: %v", err))
			continue
		}
		if s.means = tabular.ReadSplit(kind, counts); s.means.Parts != nil {
			f.splits = append(f.splits, s)
		}
		if s.means.Note != "" {
			f.Notes = append(f.Notes, fmt.Sprintf("column %s: %s", l.name(), s.means.Note))
		}
	}
}

// SplitColumns names the columns that say which part of a set a row is of, with commas between
// them; empty for none.
func (f *File) SplitColumns() string {
	var list []string
	for _, s := range f.splits {
		list = append(list, s.leaf.name())
	}
	return strings.Join(list, ", ")
}

// isScalar reports whether a column has texts or numbers that may be labels or parts.
func isScalar(l *leaf) bool {
	numbers := []format.Type{format.Int32, format.Int64, format.Boolean, format.Float, format.Double}
	return slices.Contains(numbers, l.kind) || l.kind == format.ByteArray && l.text
}

// count counts the rows of each value of a column, of about as many values as are looked at.
func (f *File) count(s *splitLeaf) (map[string]int, error) {
	w, v, counts := f.walk(s.leaf), make([]value, 1), map[string]int{}
	for len(counts) <= maxParts {
		err := w.next(v)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		counts[s.spelled(v[0])]++
	}
	return counts, nil
}

// spelled returns a value as a text, empty where it is null.
func (s *splitLeaf) spelled(v value) string {
	switch {
	case v.null:
		return ""
	case s.leaf.kind == format.ByteArray:
		return string(v.bytes)
	case v.number >= 0 && v.number < int64(len(s.names)):
		return s.names[v.number]
	}
	return strconv.FormatInt(v.number, 10)
}

// part returns the part that the columns of splits say, empty where there are none. A row that one
// of them has for testing is not trained on.
func (f *File) part(values []value) string {
	part := ""
	for i := range f.splits {
		s := &f.splits[i]
		if is := s.means.Part(s.spelled(values[i])); part == "" || part == tabular.Train {
			part = is
		}
	}
	return part
}
