package dataset

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/tabular"
	"github.com/fmimg/fmimg/internal/text"
)

// A table has the rows of a file of labels: CSV, TSV, JSON or JSON Lines.
type table struct {
	path   string // as a person named it, or inside the tree
	place  string // its path inside the tree, "" for a file from elsewhere
	header []string
	rows   [][]string
	notes  []Note

	keys  string // the list through whose keys it names pictures, "" for none
	gives bool   // other tables name pictures by the keys in its column keyAt
	keyAt int
}

// Names of columns with "_" for what is no letter and no digit, in lower case, the likely ones
// first.
var (
	labelColumns = []string{
		"label", "labels", "class", "classname", "class_name", "category", "class_id", "category_id", "label_id", "target", "y", "species", "breed", "name",
		"tag", "type", "kind", "diagnosis", "dx", "emotion", "genre", "style", "fine_label", "articletype", "id_label",
	}
	// labelWords are words in the names of columns of labels; notLabelWords are not in these names.
	labelWords    = []string{"label", "labels", "class", "category", "species", "breed", "diagnosis", "target", "emotion"}
	notLabelWords = []string{
		"confidence", "source", "score", "count", "num", "quality", "url", "path", "file", "filename", "prob", "date",
	}
)

// column returns the first column but one that has one of the names, -1 for none.
func (t *table) column(names []string, but int) int {
	for _, name := range names {
		for c, h := range t.header {
			if c != but && columnName(h) == name {
				return c
			}
		}
	}
	return -1
}

// columnName brings the header of a column into the form of [labelColumns].
func columnName(header string) string {
	return tabular.Name(header)
}

// labelColumn returns the column whose name tells that it has labels, -1 for none.
func (t *table) labelColumn(but int) int {
	if c := t.column(labelColumns, but); c >= 0 {
		return c
	}
	for _, word := range labelWords {
		for c, h := range t.header {
			words := strings.Split(columnName(h), "_")
			none := !slices.ContainsFunc(words, func(w string) bool { return slices.Contains(notLabelWords, w) })
			if c != but && none && slices.Contains(words, word) {
				return c
			}
		}
	}
	return -1
}

// A reading says how a table labels pictures.
type reading struct {
	table   *table
	files   int   // the column of names
	label   int   // the column of labels, -1 where columns stand for classes
	classes []int // the columns that stand for classes, of which one is 1 in each row
	splits  []splitColumn
	at      []int // the picture of each row, -1 for none
	matched int   // pictures that rows name

	why  Note // why there are no labels where label and classes have none
	many bool // nearly each picture has a label of its own
	list bool // the name is that of a part of a split

	divider bool // the table's name says that it divides the pictures
	divides bool // its columns of splits do
}

// labels reports whether the table has labels.
func (r *reading) labels() bool { return r.label >= 0 || r.classes != nil }

// enough reports whether so many pictures are named that the table is one of the set.
func (r *reading) enough(pictures int) bool { return 2*r.matched >= min(len(r.table.rows), pictures) }

// read finds the columns of a table by what is in them. It is nil where no column names pictures.
func (t *table) read(x *index) *reading {
	named := t.labelColumn(-1) >= 0 ||
		slices.ContainsFunc(t.header, func(h string) bool { return tabular.KindOf(h) != tabular.NoSplit })
	if !named && slices.ContainsFunc(t.header, func(h string) bool { return x.finder(t)(h) >= 0 }) {
		// It is a row.
		t.header, t.rows = nil, slices.Insert(t.rows, 0, t.header)
	}
	r := &reading{table: t, files: -1, label: -1}
	_, r.list = listRole(t.path)
	columns := 0
	for _, row := range t.rows {
		columns = max(columns, len(row))
	}
	for c := range columns {
		at, matched := t.match(c, x)
		if matched > r.matched {
			r.files, r.at, r.matched = c, at, matched
		}
	}
	if r.files < 0 {
		return nil
	}
	r.findSplits(columns)
	r.chooseLabel(columns)
	return r
}

// match looks up the values of a column, by each way of finding pictures, and counts the pictures.
// A way that is surer goes before one that finds not even twice as many.
func (t *table) match(c int, x *index) (at []int, matched int) {
	for _, find := range x.ways(t) {
		found, seen := make([]int, len(t.rows)), map[int]bool{}
		for k, row := range t.rows {
			found[k] = -1
			if c < len(row) && row[c] != "" {
				if found[k] = find(row[c]); found[k] >= 0 {
					seen[found[k]] = true
				}
			}
		}
		if at == nil || len(seen) > 2*matched {
			at, matched = found, len(seen)
		}
	}
	return at, matched
}

// chooseLabel finds the column of labels: one with the name of such, else the columns of which one
// is 1 in each row, else the only one that may have labels. A column with another value for every
// picture or so has captions, and no labels.
func (r *reading) chooseLabel(columns int) {
	if r.divider {
		r.why = option.Say("its name says that it divides the pictures")
		return
	}
	if r.label = r.table.labelColumn(r.files); r.label >= 0 {
		r.checkLabel()
		return
	}
	bits := r.bits(columns)
	if r.classes = r.oneOf(bits); r.classes != nil {
		return
	}
	var may []int
	for c := range columns {
		if c == r.files || r.table.gives && c == r.table.keyAt || r.isSplit(c) || len(bits) > 1 && slices.Contains(bits, c) {
			continue
		}
		if n := r.values(c); n > 1 && n <= max(r.matched/2, 10) && !r.measured(c) {
			may = append(may, c)
		}
	}
	switch {
	case len(may) > 0 && r.same(may):
		r.label = r.wordsAmong(may)
	case len(may) > 0:
		r.why = option.Say("any of its columns %s may have the labels: call one of them label", r.nameColumns(may))
	case len(bits) > 1:
		r.why = option.Say("a picture may be of several of its columns of 0 and 1 (%s): call one of them label",
			r.nameColumns(bits))
	default:
		r.why = option.Say("it has no column of labels")
	}
}

// checkLabel tells labels from measures and captions.
func (r *reading) checkLabel() {
	n := r.values(r.label)
	r.many = n > max(r.matched/2, 10)
	if n == 1 && !slices.ContainsFunc(r.table.rows, func(row []string) bool { return r.labelOf(row) != "" }) {
		r.why = option.Say("%s is empty, or has lists", r.columnName())
		r.label = -1
	} else if r.measured(r.label) {
		r.why = option.Say("%s has measures and no labels: round them to few values", r.columnName())
		r.label = -1
	}
}

// measured reports whether a column has numbers with fractions, of which most differ.
func (r *reading) measured(c int) bool {
	for k, row := range r.table.rows {
		if r.at[k] < 0 || c >= len(row) || row[c] == "" {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(row[c]), 64)
		if err != nil {
			return false
		}
		if v != math.Trunc(v) && !math.IsNaN(v) { // NaN stands for a label that is missing
			return 2*r.values(c) > r.matched
		}
	}
	return false
}

// same reports whether columns divide the pictures in the same way, as numbers and names of classes
// do.
func (r *reading) same(columns []int) bool {
	first := columns[0]
	for _, c := range columns[1:] {
		to, from := map[string]string{}, map[string]string{}
		for k, row := range r.table.rows {
			if r.at[k] < 0 || max(c, first) >= len(row) {
				continue
			}
			a, b := row[first], row[c]
			if other, ok := to[a]; ok && other != b {
				return false
			}
			if other, ok := from[b]; ok && other != a {
				return false
			}
			to[a], from[b] = b, a
		}
	}
	return true
}

// wordsAmong returns the first of the columns that does not have numbers alone, else the first.
func (r *reading) wordsAmong(columns []int) int {
	for _, c := range columns {
		for k, row := range r.table.rows {
			if r.at[k] >= 0 && c < len(row) {
				if _, err := strconv.ParseFloat(strings.TrimSpace(row[c]), 64); err != nil {
					return c
				}
			}
		}
	}
	return columns[0]
}

// nameColumns lists columns for a note.
func (r *reading) nameColumns(columns []int) string {
	var names []string
	for _, c := range columns[:min(len(columns), shownNames)] {
		name := strconv.Itoa(c + 1)
		if c < len(r.table.header) && r.table.header[c] != "" {
			name = text.Printable(strings.TrimSpace(r.table.header[c]))
		}
		names = append(names, name)
	}
	if len(columns) > shownNames {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

// values counts the different values of a column.
func (r *reading) values(c int) int {
	seen := map[string]bool{}
	for k, row := range r.table.rows {
		if r.at[k] >= 0 && c < len(row) {
			seen[row[c]] = true
		}
	}
	return len(seen)
}

// bits returns the columns that have only 0 and 1, or -1 and 1.
func (r *reading) bits(columns int) []int {
	var list []int
	for c := range columns {
		if c == r.files || r.isSplit(c) || c >= len(r.table.header) {
			continue
		}
		if !slices.ContainsFunc(r.table.rows, func(row []string) bool { return c >= len(row) || bit(row[c]) < 0 }) {
			list = append(list, c)
		}
	}
	return list
}

// oneOf returns the columns where exactly one of them is 1 in each row, and nil elsewhere.
func (r *reading) oneOf(list []int) []int {
	for _, row := range r.table.rows {
		ones := 0
		for _, c := range list {
			ones += bit(row[c])
		}
		if ones != 1 {
			return nil
		}
	}
	if len(list) < 2 {
		return nil
	}
	return list
}

// bit returns the value of "0", "1", "0.0", "1.0" and 0 for "-1", and -1 for others.
func bit(s string) int {
	switch v, err := strconv.ParseFloat(strings.TrimSpace(s), 64); {
	case err != nil:
	case v == 0 || v == -1:
		return 0
	case v == 1:
		return 1
	}
	return -1
}
