package dataset

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/tabular"
	"github.com/fmimg/fmimg/internal/text"
)

// A labelling is what files of labels say of the pictures.
type labelling struct {
	labels  []string // of each picture, "" for none
	rows    int      // rows without a picture
	doubled int      // rows that give a picture another label than an earlier one
}

// apply labels pictures by a table. A later row of a picture counts more than an earlier one.
func (l *labelling) apply(r *reading) {
	for k, row := range r.table.rows {
		i := r.at[k]
		if i < 0 {
			l.rows++
			continue
		}
		label := r.labelOf(row)
		if l.labels[i] != "" && label != l.labels[i] {
			l.doubled++
		}
		l.labels[i] = label
	}
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

// labelBy labels the pictures by a table that a person named.
func (l *layout) labelBy(t *table, names []string) ([]string, error) {
	x := newIndex(names, l.roles)
	r := t.read(x)
	switch {
	case r == nil && t.ambiguous(x):
		return nil, option.Faultf("%s: each name of it fits several pictures of different folders", text.Printable(t.path)).
			Cured("write names with their folders, such as %s", text.Printable(names[0]))
	case r == nil:
		return nil, option.Faultf("%s: no column of it names the pictures, such as %s",
			text.Printable(t.path), text.Printable(names[0])).
			Cured("it takes rows such as name.png,label")
	case !r.labels():
		return nil, option.Faultf("%s: it names the pictures, and %v", text.Printable(t.path), r.why)
	}
	l.divideByColumns([]*reading{r})
	return l.labelWith([]*reading{r}), nil
}

// ambiguous reports whether a column of the table has names that fit several pictures.
func (t *table) ambiguous(x *index) bool {
	n := 0
	for _, row := range t.rows {
		if slices.ContainsFunc(row, x.several) {
			n++
		}
	}
	return n > 0 && 2*n >= len(t.rows)
}

// labelWith labels the pictures by tables, with notes on what did not fit.
func (l *layout) labelWith(readings []*reading) []string {
	by := &labelling{labels: make([]string, len(l.rest))}
	var paths []string
	for _, r := range readings {
		by.apply(r)
		paths = append(paths, r.table.called())
		l.notes = append(l.notes, r.table.notes...)
	}
	l.told = true
	first, from := readings[0], strings.Join(paths, ", ")
	l.dropMissing(by.labels, from)
	without := 0
	for i, label := range by.labels {
		if label == "" && l.roles[i] != outside {
			without++
		}
	}
	l.note("classes from %s, %s", from, first.columnName())
	if first.many {
		l.note("%s: nearly each picture has a label of its own", from)
	}
	if without > 0 {
		l.note("%s: %s no row with a label there, and no class", from, text.Count(without, "picture has", "pictures have"))
	}
	if by.rows > 0 {
		l.note("%s: %s no picture", from, text.Count(by.rows, "row has", "rows have"))
	}
	if by.doubled > 0 {
		l.note("%s: %s a picture another label than an earlier row: the last one counts", from,
			text.Count(by.doubled, "row gives", "rows give"))
	}
	return by.labels
}

// dropMissing takes labels away that stand for a missing one, such as nan.
func (l *layout) dropMissing(labels []string, from string) {
	counts := map[string]int{}
	for i, label := range labels {
		if l.roles[i] != outside {
			counts[label]++
		}
	}
	missing := tabular.Missing(counts)
	for i, label := range labels {
		if missing[label] {
			labels[i] = ""
		}
	}
	if note := tabular.MissingNote(missing, counts); note != "" {
		l.note("%s: %s", from, note)
	}
}

// divided reports whether there are pictures to train on and pictures to test on.
func divided(roles []role) bool {
	return slices.Contains(roles, toTrain) && slices.Contains(roles, toTest)
}

// index gives each picture the number of its class among the classes of pictures to train on.
// labels are names, "" for none. A set without a label has no classes.
func (l *layout) index(labels []string) (numbers []int32, classes []string) {
	for i, label := range labels {
		if label != "" && l.roles[i] == toTrain {
			classes = append(classes, label)
		}
	}
	if slices.SortFunc(classes, text.CompareNatural); l.textOrder {
		slices.Sort(classes)
	}
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
	l.noteCounts("no picture to train on is of class %s: its %s count as without a class",
		"pictures of %s are of no class of the training pictures", lost)
	l.noteAlike(classes)
	return numbers, classes
}

// noteAlike says that classes differ only in what people may not see.
func (l *layout) noteAlike(classes []string) {
	first := make(map[string]string, len(classes))
	for _, class := range classes {
		fold := text.Fold(class)
		if other, ok := first[fold]; ok {
			l.note("the classes %s and %s differ only by capitals, spaces around them or how accents are stored: they count as two",
				text.Printable(other), text.Printable(class))
			return
		}
		first[fold] = class
	}
}
