package array

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/tabular"
	"github.com/fmimg/fmimg/internal/text"
)

// tableEnds are the endings of tables.
var tableEnds = []string{".csv", ".tsv", ".csv.gz", ".tsv.gz"}

// A tableSet has the tables that make a set.
type tableSet struct {
	prefix string
	parts  map[string]table
	others []string // files that were left out
	files  []*tree.File
	beside []*tree.File
}

// findCSV finds tables of pixels. Those of a folder whose names differ by "train" and "test" alone
// are one set.
func findCSV(files []*tree.File) []Source {
	folders := newGroups(files).text
	sets, order := map[string]*tableSet{}, []*tableSet(nil)
	for _, f := range plainFirst(files) {
		base, ok := cutEnds(path.Base(f.Name), tableEnds...)
		if !ok {
			continue
		}
		t, ok := recognise(f)
		if !ok {
			continue
		}
		rest, part, _ := words(base)
		folder := folderOf(f)
		key := folder + "\x00" + rest
		if sets[key] == nil {
			sets[key] = &tableSet{prefix: rest, parts: map[string]table{}, beside: folders[folder]}
			order = append(order, sets[key])
		}
		s := sets[key]
		s.files = append(s.files, f)
		if _, taken := s.parts[part]; taken {
			s.others = append(s.others, path.Base(f.Name))
			continue
		}
		s.parts[part] = t
	}
	var list []Source
	for _, s := range order {
		list = append(list, Source{Format: tableFormat, Name: s.main().Name, Files: s.files,
			Read: func(ctx context.Context, l Limits) (set *Set, err error) {
				defer recovered(&err)
				return s.read(ctx, l)
			}})
	}
	return list
}

const tableFormat = "CSV of pixels"

// main returns the file by which a person would name the set.
func (s *tableSet) main() *tree.File {
	for _, part := range []string{"", "train"} {
		if t, ok := s.parts[part]; ok {
			return t.file
		}
	}
	return s.files[0]
}

// A share is a part of a set and the table that has it.
type share struct {
	table table
	usage string // the rows of the table that belong to it, empty for all
	seen  survey
}

// read reads the set.
func (s *tableSet) read(ctx context.Context, l Limits) (*Set, error) {
	r := recipe{format: tableFormat, files: slices.Clone(s.files)}
	known, files, err := namesBeside(s.beside, s.prefix)
	if err != nil {
		return nil, err
	}
	r.names, r.files = known, append(r.files, files...)
	r.names.path = s.main().Name
	train, test, err := s.shares(&r)
	if err != nil {
		return nil, err
	}
	var list []*share
	for _, one := range []*share{train, test} {
		if one != nil {
			r.notes = appendNew(r.notes, one.table.note)
			r.notes = appendNew(r.notes, one.table.unread())
			list = append(list, one)
		}
	}
	r.notes = appendNew(r.notes, dropMissing(list))
	texts := textLabels(list)
	if texts != nil {
		r.names = names{list: texts, from: path.Base(train.table.file.Name), first: 0}
	}
	for i, one := range list {
		p := &part{pixels: one.table.numbers(one.usage, one.seen)}
		if p.labels, err = one.labels(texts); err != nil {
			return nil, fmt.Errorf("%s: %w", p.pixels.name, err)
		}
		if i == 0 {
			r.train = p
		} else {
			r.test = p
		}
	}
	if strings.HasPrefix(s.prefix, "emnist") {
		r.turn()
	}
	return build(ctx, l, r)
}

// unread names the columns that are not read, empty where there are none.
func (t *table) unread() string {
	list := t.others
	if len(list) > maxListed {
		list = append(slices.Clone(list[:maxListed]), fmt.Sprintf("%d more", len(list)-maxListed))
	}
	if len(list) == 0 {
		return ""
	}
	return text.Printable("columns that are not read: " + strings.Join(list, ", "))
}

// appendNew appends a note that is not empty and not there yet.
func appendNew(notes []string, note string) []string {
	if note == "" || slices.Contains(notes, note) {
		return notes
	}
	return append(notes, note)
}

// shares finds the rows to train and to test on; test is nil where there are none.
func (s *tableSet) shares(r *recipe) (train, test *share, err error) {
	byPart := map[string]*share{}
	for _, part := range slices.Sorted(maps.Keys(s.parts)) {
		t := s.parts[part]
		if err := t.readParts(r); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path.Base(t.file.Name), err)
		}
		usages := []string{""}
		if t.usage >= 0 {
			usages = []string{tabular.Train, tabular.Test, tabular.Val}
		}
		for _, usage := range usages {
			one := &share{table: t, usage: usage}
			if one.seen, err = t.look(usage); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", path.Base(t.file.Name), err)
			}
			if key := cmp.Or(usage, part); one.seen.rows > 0 && byPart[key] == nil {
				byPart[key] = one
			}
		}
	}
	var taken []string
	for _, part := range append([]string{"train", ""}, testParts...) {
		if byPart[part] == nil || test != nil {
			continue
		}
		if taken = append(taken, part); train == nil {
			train = byPart[part]
		} else {
			test = byPart[part]
		}
	}
	if train == nil {
		return nil, nil, fmt.Errorf("%s has no row", path.Base(s.files[0].Name))
	}
	r.notes = append(r.notes, s.leftOut(byPart, taken)...)
	return train, test, nil
}

// leftOut notes what belongs to no part that was taken.
func (s *tableSet) leftOut(byPart map[string]*share, taken []string) []string {
	var notes []string
	for _, part := range testParts {
		if one := byPart[part]; one != nil && !slices.Contains(taken, part) {
			notes = append(notes, fmt.Sprintf("left out: %s of %s for validation, as there are others to train and to test on",
				text.Count(one.seen.rows, "row", "rows"), path.Base(one.table.file.Name)))
		}
	}
	if len(taken) > 1 && taken[1] == "val" {
		notes = append(notes, "the validation images were taken for test images")
	}
	for _, name := range s.others {
		notes = append(notes, name+" was left out: another file has the same part of the set")
	}
	return notes
}

// readParts finds what the values of the column of parts mean. A column that means nothing is not
// read.
func (t *table) readParts(r *recipe) error {
	if t.usage < 0 {
		return nil
	}
	counts := map[string]int{}
	err := t.each(func(_, usage string, _ []float64) error {
		if counts[usage]++; len(counts) > maxParts {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	t.parts = tabular.ReadSplit(t.kind, counts)
	if t.parts.Note != "" {
		r.notes = append(r.notes, fmt.Sprintf("%s: the column of parts: %s", path.Base(t.file.Name), t.parts.Note))
	}
	if t.parts.Parts == nil {
		t.usage = -1
	}
	return nil
}

// maxParts bounds the different values of a column of parts. One with more has something else.
const maxParts = 1000

var errEnough = errors.New("enough")

// dropMissing takes the labels away that stand for a missing one, such as nan. It returns a note,
// empty where there are none.
func dropMissing(list []*share) string {
	counts := map[string]int{}
	for _, one := range list {
		for label, n := range one.seen.labels {
			counts[label] += n
		}
	}
	missing := tabular.Missing(counts)
	for _, one := range list {
		one.seen.missing = missing
		for label := range missing {
			one.seen.none += one.seen.labels[label]
			delete(one.seen.labels, label)
		}
	}
	return tabular.MissingNote(missing, counts)
}

// textLabels returns the names of labels that are not small whole numbers, sorted, and nil where
// all are.
func textLabels(list []*share) []string {
	all, whole := map[string]bool{}, true
	for _, one := range list {
		for label := range one.seen.labels {
			v, err := strconv.ParseFloat(label, 64)
			whole = whole && err == nil && v == math.Trunc(v) && math.Abs(v) < maxClasses
			all[label] = true
		}
	}
	if whole || len(all) > maxClasses {
		return nil
	}
	return slices.SortedFunc(maps.Keys(all), text.CompareNatural)
}

// labels reads the labels of a share, nil where its table has none. texts are the names of labels
// that are not numbers.
func (s *share) labels(texts []string) (*labels, error) {
	if s.table.label < 0 || s.seen.rows == s.seen.none {
		return nil, nil
	}
	l := &labels{name: "the label column", list: make([]int32, 0, s.seen.rows)}
	numbers := make(map[string]int32, len(texts))
	for i, name := range texts {
		numbers[name] = int32(i)
	}
	return l, s.table.rows(s.usage, func(label string, _ []float64) error {
		switch {
		case len(l.list) == s.seen.rows: // checked with the pixels
			return nil
		case label == "" || s.seen.missing[label]:
			l.list = append(l.list, -1)
			return nil
		case texts != nil:
			l.list = append(l.list, numbers[label])
			return nil
		}
		v, err := strconv.ParseFloat(label, 64)
		if err != nil || v < -1 || v >= maxClasses {
			return fmt.Errorf("label %.20q of image %d: labels lie between 0 and %d", label, len(l.list), maxClasses-1)
		}
		l.list = append(l.list, int32(v))
		return nil
	})
}
