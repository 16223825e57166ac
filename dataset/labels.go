package dataset

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
)

// A table has the rows of a file of labels: CSV, TSV, JSON or JSON Lines.
type table struct {
	path   string // as a person named it, or inside the tree
	header []string
	rows   [][]string
}

// Names of columns, in lower case, the likely ones first.
var (
	labelColumns = []string{
		"label", "labels", "class", "classname", "class_name", "category", "target", "y", "species", "breed", "name",
		"tag", "type", "kind", "diagnosis", "dx", "emotion", "genre", "style", "fine_label", "articletype", "id_label",
	}
	splitColumns = []string{"split", "subset", "usage", "partition", "set", "fold"}
)

// An index finds pictures by what a table calls them.
type index struct {
	exact map[string]int // paths
	short map[string]int // names without folders, and names without endings; -1 where several fit
}

// newIndex makes an index of paths.
func newIndex(names []string) *index {
	x := &index{exact: make(map[string]int, len(names)), short: make(map[string]int, 2*len(names))}
	add := func(key string, i int) {
		if at, ok := x.short[key]; ok && at != i {
			i = -1
		}
		x.short[key] = i
	}
	for i, name := range names {
		x.exact[name] = i
		lower := strings.ToLower(name)
		for _, key := range []string{lower, path.Base(lower)} {
			add(key, i)
			add(strings.TrimSuffix(key, path.Ext(key)), i)
		}
	}
	return x
}

// find returns the picture that a table calls by a name, -1 for none. The table may know folders
// above the data, or none, and may leave the ending out.
func (x *index) find(called string) int {
	called = strings.TrimPrefix(path.Clean(strings.ReplaceAll(strings.TrimSpace(called), `\`, "/")), "/")
	for rest := called; ; {
		if i, ok := x.exact[rest]; ok {
			return i
		}
		if i, ok := x.short[strings.ToLower(rest)]; ok {
			return i
		}
		_, below, ok := strings.Cut(rest, "/")
		if !ok {
			return -1
		}
		rest = below
	}
}

// A reading says how a table labels pictures.
type reading struct {
	table   *table
	files   int   // the column of names
	label   int   // the column of labels, -1 where columns stand for classes
	classes []int // the columns that stand for classes, of which one is 1 in each row
	split   int   // the column of splits, -1 for none
	at      []int // the picture of each row, -1 for none
	matched int   // rows with a picture
}

// read finds the columns of a table by what is in them. It is nil where no column names pictures.
func (t *table) read(x *index) *reading {
	named := t.column(slices.Concat(labelColumns, splitColumns), -1) >= 0
	if !named && slices.ContainsFunc(t.header, func(h string) bool { return x.find(h) >= 0 }) {
		// It is a row.
		t.header, t.rows = nil, slices.Insert(t.rows, 0, t.header)
	}
	r := &reading{table: t, files: -1, label: -1, split: -1}
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
	if r.files < 0 || 2*r.matched < min(len(t.rows), len(x.exact)) {
		return nil
	}
	r.split = t.column(splitColumns, r.files)
	r.chooseLabel(columns)
	return r
}

// match looks up the values of a column.
func (t *table) match(c int, x *index) (at []int, matched int) {
	at = make([]int, len(t.rows))
	for k, row := range t.rows {
		at[k] = -1
		if c < len(row) && row[c] != "" {
			if at[k] = x.find(row[c]); at[k] >= 0 {
				matched++
			}
		}
	}
	return at, matched
}

// column returns the first column but one that has one of the names, -1 for none.
func (t *table) column(names []string, but int) int {
	for _, name := range names {
		for c, h := range t.header {
			if c != but && strings.EqualFold(strings.TrimSpace(h), name) {
				return c
			}
		}
	}
	return -1
}

// chooseLabel finds the column of labels: one with the name of such, else the columns of which one
// is 1 in each row, else the one with the fewest values. A column with another value for every
// picture or so has captions, and no labels.
func (r *reading) chooseLabel(columns int) {
	if r.label = r.table.column(labelColumns, r.files); r.label >= 0 {
		return
	}
	if r.classes = r.oneOf(columns); r.classes != nil {
		return
	}
	fewest := 0
	for c := range columns {
		if c == r.files || c == r.split {
			continue
		}
		if n := r.values(c); n > 1 && n <= max(r.matched/2, 10) && (r.label < 0 || n < fewest) {
			r.label, fewest = c, n
		}
	}
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

// oneOf returns the columns of which exactly one is 1, and the others 0, in each row; nil where
// there are none.
func (r *reading) oneOf(columns int) []int {
	var list []int
	for c := range columns {
		if c == r.files || c == r.split || c >= len(r.table.header) {
			continue
		}
		if !slices.ContainsFunc(r.table.rows, func(row []string) bool { return c >= len(row) || bit(row[c]) < 0 }) {
			list = append(list, c)
		}
	}
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

// bit returns the value of "0", "1", "0.0", "1.0", and -1 for others.
func bit(s string) int {
	switch v, err := strconv.ParseFloat(strings.TrimSpace(s), 64); {
	case err != nil:
	case v == 0:
		return 0
	case v == 1:
		return 1
	}
	return -1
}

// A labelling is what a file of labels says of the pictures.
type labelling struct {
	labels []string // of each picture, "" for none
	roles  []role   // of each picture; nil where there is no column of splits
	rows   int      // rows without a picture
	column string   // where the labels are, for notes
}

// apply labels n pictures.
func (r *reading) apply(n int) *labelling {
	l := &labelling{labels: make([]string, n), column: r.columnName()}
	if r.split >= 0 {
		l.roles = make([]role, n)
	}
	for k, row := range r.table.rows {
		i := r.at[k]
		if i < 0 {
			l.rows++
			continue
		}
		l.labels[i] = r.labelOf(row)
		if l.roles != nil && r.split < len(row) {
			if is, _, ok := splitOf(row[r.split]); ok {
				l.roles[i] = is
			}
		}
	}
	return l
}

// labelOf returns the label of a row. Whole numbers are spelled without a fraction, as tables with
// gaps spell them with one.
func (r *reading) labelOf(row []string) string {
	for _, c := range r.classes {
		if bit(row[c]) == 1 {
			return strings.TrimSpace(r.table.header[c])
		}
	}
	if r.label < 0 || r.label >= len(row) {
		return ""
	}
	label := strings.TrimSpace(row[r.label])
	if whole, ok := strings.CutSuffix(label, ".0"); ok {
		if _, err := strconv.Atoi(whole); err == nil {
			return whole
		}
	}
	return label
}

func (r *reading) columnName() string {
	switch {
	case r.classes != nil:
		return text.Count(len(r.classes), "column", "columns") + " of 0 and 1"
	case r.label < 0:
		return ""
	case r.label < len(r.table.header):
		return "column " + text.Printable(strings.TrimSpace(r.table.header[r.label]))
	}
	return "column " + strconv.Itoa(r.label+1)
}

// labelBy labels the pictures by a table, with notes on what did not fit.
func (l *layout) labelBy(t *table, names []string) ([]string, error) {
	r := t.read(newIndex(names))
	if r == nil {
		return nil, option.Faultf("%s: no column of it names the pictures, such as %s",
			text.Printable(t.path), text.Printable(names[0])).
			Cured("it takes rows such as name.png,label")
	}
	if r.label < 0 && r.classes == nil {
		return nil, option.Faultf("%s: it names the pictures, and has no column of labels beside them", text.Printable(t.path))
	}
	by := r.apply(len(names))
	l.told = true
	if by.roles != nil && slices.Contains(by.roles, toTrain) && slices.Contains(by.roles, toTest) {
		copy(l.roles, by.roles)
		l.note("%s: column %s divides the pictures", text.Printable(t.path),
			text.Printable(cmp.Or(t.header[r.split], "split")))
	}
	without := 0
	for _, label := range by.labels {
		if label == "" {
			without++
		}
	}
	l.note("classes from %s, %s", text.Printable(t.path), by.column)
	if without > 0 {
		l.note("%s: %s no row with a label there, and no class", text.Printable(t.path),
			text.Count(without, "picture has", "pictures have"))
	}
	if by.rows > 0 {
		l.note("%s: %s no picture", text.Printable(t.path), text.Count(by.rows, "row has", "rows have"))
	}
	return by.labels, nil
}

// index gives each picture the number of its class among the classes of pictures to train on.
// labels are names, "" for none. A set without a label has no classes.
func (l *layout) index(labels []string) (numbers []int32, classes []string) {
	for i, label := range labels {
		if label != "" && l.roles[i] == toTrain {
			classes = append(classes, label)
		}
	}
	slices.SortFunc(classes, text.CompareNatural)
	if classes = slices.Compact(classes); classes == nil {
		return nil, nil
	}
	at := make(map[string]int32, len(classes))
	for i, class := range classes {
		at[class] = int32(i)
	}
	numbers = make([]int32, len(labels))
	lost := map[string]int{}
	for i, label := range labels {
		k, ok := at[label]
		if numbers[i] = k; !ok {
			numbers[i] = -1
			if label != "" && l.roles[i] == toTest {
				lost[label]++
			}
		}
	}
	for _, label := range sortedKeys(lost) {
		l.note("no picture to train on is of class %s: its %s count as without a class",
			text.Printable(label), pictures(lost[label]))
	}
	return numbers, classes
}
