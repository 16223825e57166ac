package dataset

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/tabular"
	"github.com/fmimg/fmimg/internal/text"
)

// A splitColumn is a column of a table that says which part of a set a picture belongs to.
type splitColumn struct {
	at    int
	means tabular.Split
}

// findSplits finds the columns of splits: those that are called so, those that have nothing but the
// names of parts, and the column of a table whose own name says that it divides.
func (r *reading) findSplits(columns int) {
	label, named := r.table.labelColumn(r.files), false
	for c := range columns {
		kind := r.table.kindOf(c)
		named = named || kind != tabular.NoSplit
		if c == r.files || c == label || kind == tabular.NoSplit && !r.table.mayBeParts(c) {
			continue
		}
		means := tabular.ReadSplit(max(kind, tabular.Parts), r.table.counts(c))
		if kind == tabular.Folds {
			means = tabular.ReadSplit(kind, r.table.counts(c))
		}
		if kind != tabular.NoSplit || means.Divides() && means.Note == "" {
			r.splits = append(r.splits, splitColumn{c, means})
			named = true
		}
	}
	if r.divider = !named && label < 0 && isDivider(r.table.path); r.divider {
		r.findDivider(columns)
	}
}

// findDivider finds the column of splits in a table whose name says that it divides: the first that
// is understood, else the first.
func (r *reading) findDivider(columns int) {
	for c := range columns {
		if c == r.files {
			continue
		}
		s := splitColumn{c, tabular.ReadSplit(tabular.Parts, r.table.counts(c))}
		if keyed := r.table.keys != "" && r.table.header == nil; keyed && s.means.Parts == nil {
			if is := tabular.ReadSplit(tabular.IsTrain, r.table.counts(c)); is.Divides() && is.Note == "" {
				is.Note = "1 was taken for training and 0 for testing, as in CUB-200-2011"
				s.means = is
			}
		}
		if s.means.Parts != nil {
			r.splits = []splitColumn{s}
			return
		}
		if r.splits == nil {
			r.splits = []splitColumn{s}
		}
	}
}

// kindOf returns what the name of a column tells of splits.
func (t *table) kindOf(c int) tabular.Kind {
	if c < len(t.header) {
		return tabular.KindOf(t.header[c])
	}
	return tabular.NoSplit
}

// mayBeParts reports whether the first value of a column is the name of a part of a set.
func (t *table) mayBeParts(c int) bool {
	for _, row := range t.rows {
		if c < len(row) && strings.TrimSpace(row[c]) != "" {
			return tabular.PartOf(row[c]) != ""
		}
	}
	return false
}

// counts returns the rows of each value of a column.
func (t *table) counts(c int) map[string]int {
	counts := map[string]int{}
	for _, row := range t.rows {
		if c < len(row) {
			counts[strings.TrimSpace(row[c])]++
		}
	}
	return counts
}

// isDivider reports whether the name of a table says that it divides the pictures and has no
// labels, as list_eval_partition.txt does. The name of a list for one part, such as
// train_split.txt, is another thing.
func isDivider(name string) bool {
	if _, ok := listRole(name); ok {
		return false
	}
	base := strings.TrimSuffix(path.Base(name), path.Ext(name))
	words := strings.FieldsFunc(strings.ToLower(base), noLetterOrDigit)
	return slices.ContainsFunc(words, func(word string) bool {
		return slices.Contains([]string{"partition", "partitions", "split", "splits"}, word)
	})
}

// isSplit reports whether a column is one of splits, whether it is understood or not.
func (r *reading) isSplit(c int) bool {
	return slices.ContainsFunc(r.splits, func(s splitColumn) bool { return s.at == c })
}

// roleOf returns what a row says that its picture is for. ok is false where no column is
// understood. A picture that one column has for testing is not trained on.
func (r *reading) roleOf(row []string) (is role, ok bool) {
	for _, s := range r.splits {
		if s.means.Parts == nil {
			continue
		}
		ok = true
		if s.at < len(row) && s.means.Part(row[s.at]) != tabular.Train {
			return toTest, true
		}
	}
	return toTrain, ok
}

// splitNames names the columns of splits that are understood: "column split", and nothing for one
// without a name.
func (r *reading) splitNames() string {
	var list []string
	for _, s := range r.splits {
		if s.means.Parts != nil && s.at < len(r.table.header) {
			list = append(list, text.Printable(strings.TrimSpace(r.table.header[s.at])))
		}
	}
	switch len(list) {
	case 0:
		return ""
	case 1:
		return ": column " + list[0]
	}
	return ": columns " + strings.Join(list, ", ")
}

// divideByColumns divides the pictures by the columns of splits that tables have, and says what of
// them is not understood. Where two tables name a picture, the first one counts.
func (l *layout) divideByColumns(readings []*reading) {
	roles, by := slices.Clone(l.roles), make([]*reading, len(l.roles))
	for _, r := range readings {
		l.noteSplits(r)
		for k, row := range r.table.rows {
			i := r.at[k]
			if i < 0 || l.roles[i] == outside || by[i] != nil && by[i] != r {
				continue
			}
			if is, ok := r.roleOf(row); ok {
				roles[i], by[i] = is, r
			}
		}
	}
	if slices.Equal(roles, l.roles) {
		return
	}
	if !divided(roles) {
		l.note("the columns of splits have no picture to train on, and do not divide")
		return
	}
	l.roles, l.told = roles, true
	for _, r := range readings {
		if r.divides = slices.Contains(by, r); r.divides {
			l.note("%s%s divides the pictures", r.table.called(), r.splitNames())
		}
	}
}

// noteSplits says what was assumed of the columns of splits of a table, and which are not read.
func (l *layout) noteSplits(r *reading) {
	for _, s := range r.splits {
		if s.means.Note == "" {
			continue
		}
		name := strconv.Itoa(s.at + 1)
		if s.at < len(r.table.header) {
			name = text.Printable(strings.TrimSpace(r.table.header[s.at]))
		}
		l.note("%s: column %s: %s", text.Printable(r.table.path), name, s.means.Note)
	}
}
