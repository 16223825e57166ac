package dataset

import (
	"path"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/text"
)

// A keyList is a table that gives each picture a key, by which other tables call it. CUB-200-2011
// has images.txt with rows such as "1 001.Albatross/a.jpg", and train_test_split.txt with "1 0".
type keyList struct {
	path  string
	at    int               // the column of the keys
	files map[string]string // the names of the pictures by their keys
}

// joinKeys gives tables that call pictures by keys the names of these, where a list of the set has
// both. Such a table has a column with the keys of nine tenths of the list. readings are those of
// the tables that name pictures themselves. It reports whether a table names pictures now.
func (g *gallery) joinKeys(l *layout, tables []*table, readings []*reading) bool {
	keyed := slices.DeleteFunc(slices.Clone(tables), func(t *table) bool {
		return slices.ContainsFunc(readings, func(r *reading) bool { return r.table == t })
	})
	if len(keyed) == 0 {
		return false
	}
	joined := false
	for _, r := range slices.Concat(readings, g.otherLists(l)) {
		list := r.keyList(len(g.names))
		if list == nil {
			continue
		}
		used := false
		for _, t := range keyed {
			used = t.keys == "" && t.nameBy(list) || used
		}
		if joined = joined || used; used {
			r.table.gives, r.table.keyAt = true, list.at
			g.markUsed(func(f *tree.File) bool { return f.Name == list.path })
		}
	}
	return joined
}

// otherLists reads the texts that name pictures, though they are not called like tables.
func (g *gallery) otherLists(l *layout) []*reading {
	list := g.otherTexts()
	return readAll(list, g.index(l, list))
}

// keyList returns the keys that a table gives the pictures, nil where none of its columns has
// another value in each row.
func (r *reading) keyList(pictures int) *keyList {
	if !r.enough(pictures) || len(r.table.rows) < 2 {
		return nil
	}
	for c := range r.table.rows[0] {
		if c == r.files {
			continue
		}
		list := &keyList{r.table.path, c, map[string]string{}}
		for _, row := range r.table.rows {
			if max(c, r.files) < len(row) && strings.TrimSpace(row[c]) != "" {
				list.files[strings.TrimSpace(row[c])] = row[r.files]
			}
		}
		if len(list.files) == len(r.table.rows) {
			return list
		}
	}
	return nil
}

// nameBy puts the names of pictures in the place of their keys. It reports whether a column has
// keys.
func (t *table) nameBy(list *keyList) bool {
	for c := range t.rows[0] {
		seen := map[string]bool{}
		for _, row := range t.rows {
			if c >= len(row) {
				continue
			}
			if key := strings.TrimSpace(row[c]); list.files[key] != "" {
				seen[key] = true
			}
		}
		if 10*len(seen) < 9*max(len(list.files), len(t.rows)) {
			continue
		}
		for _, row := range t.rows {
			if c < len(row) {
				row[c] = list.files[strings.TrimSpace(row[c])]
			}
		}
		t.keys = list.path
		return true
	}
	return false
}

// otherTexts reads the texts that are not called like tables of labels as such. There are none
// where so many texts are that they are captions.
func (g *gallery) otherTexts() []*table {
	var texts []*tree.File
	for i, f := range g.loader.files {
		isText := strings.EqualFold(path.Ext(f.Name), ".txt") && f.Err == nil
		if isText && g.loader.results[i].err != nil && !isTable(f) {
			texts = append(texts, f)
		}
	}
	if len(texts) > maxTables {
		return nil
	}
	var list []*table
	for _, f := range texts {
		if t, err := tableOf(f); err == nil {
			t.place = f.Name
			list = append(list, t)
		}
	}
	return list
}

// called names a table for a note, with the list through which it names the pictures.
func (t *table) called() string {
	if t.keys == "" {
		return text.Printable(t.path)
	}
	return text.Printable(t.path) + " (by the keys in " + text.Printable(t.keys) + ")"
}
