package dataset

import (
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/text"
)

// index makes an index of the pictures for tables, nil where there are none.
func (g *gallery) index(l *layout, tables []*table) *index {
	if len(tables) == 0 {
		return nil
	}
	return newIndex(g.names, l.roles)
}

// readAll returns the readings of the tables that name pictures.
func readAll(tables []*table, x *index) []*reading {
	var list []*reading
	for _, t := range tables {
		if r := t.read(x); r != nil {
			list = append(list, r)
		}
	}
	return list
}

// divideByLists divides pictures by tables that are called like parts of a split, such as train.txt
// and test.txt. It reports whether it did so.
func (l *layout) divideByLists(readings []*reading) bool {
	var lists []*reading
	var roles []role
	for _, r := range readings {
		if is, ok := listRole(r.table.path); ok && r.enough(len(l.rest)) {
			lists, roles = append(lists, r), append(roles, is)
		}
	}
	if !divided(roles) || slices.Contains(l.roles, toTest) {
		return false
	}
	listed := make([]bool, len(l.rest))
	for _, part := range []role{toTrain, toTest} { // to be tested on counts more
		for k, r := range lists {
			if roles[k] == part {
				l.assign(r, part, listed)
			}
		}
	}
	var names []string
	for _, r := range lists {
		names = append(names, text.Printable(r.table.path))
	}
	l.listed = true
	l.note("%s divide the pictures", strings.Join(names, ", "))
	n := 0
	for i, is := range listed {
		if !is && l.roles[i] == toTrain {
			n++
		}
	}
	if n > 0 {
		l.note("%s in none of these lists, and trained on", text.Count(n, "picture is", "pictures are"))
	}
	return true
}

// assign gives the pictures of a list a role.
func (l *layout) assign(r *reading, to role, listed []bool) {
	for _, i := range r.at {
		if i >= 0 && l.roles[i] != outside {
			l.roles[i], listed[i] = to, true
		}
	}
}

// chooseTables returns the table that labels most of the pictures to train on, with those of the
// same column that label others, and the tables that are not read. main is nil where no table has
// labels.
func chooseTables(readings []*reading, roles []role) (main, others []*reading) {
	var best *reading
	most := -1
	for _, r := range readings {
		if !r.labels() || r.many || !r.enough(len(roles)) {
			continue
		}
		n := 0
		for _, i := range r.at {
			if i >= 0 && roles[i] == toTrain {
				n++
			}
		}
		if n > most {
			best, most = r, n
		}
	}
	if best == nil {
		return nil, nil
	}
	main = []*reading{best}
	taken := map[int]bool{}
	mark := func(r *reading) {
		for _, i := range r.at {
			taken[i] = true
		}
	}
	mark(best)
	delete(taken, -1)
	for _, r := range readings {
		switch {
		case r == best || !r.labels():
		case r.columnName() == best.columnName() && !overlaps(r.at, taken):
			main = append(main, r)
			mark(r)
			delete(taken, -1)
		default:
			others = append(others, r)
		}
	}
	return main, others
}

// overlaps reports whether one of the pictures is taken.
func overlaps(pictures []int, taken map[int]bool) bool {
	for _, i := range pictures {
		if taken[i] {
			return true
		}
	}
	return false
}

// noteEmpty says which folders at the place of classes have no picture that can be read: an empty
// one, or one whose pictures are damaged.
func (g *gallery) noteEmpty(l *layout, labels []string) {
	classes, places := map[string]bool{}, map[string]bool{}
	for i, label := range labels {
		if label != "" && l.roles[i] == toTrain {
			classes[label] = true
			places[strings.TrimSuffix(g.names[i], l.rest[i])] = true
		}
	}
	empty := map[string]int{}
	see := func(name string) {
		for place := range places {
			below, ok := strings.CutPrefix(name, place)
			if top, _, inside := strings.Cut(below, "/"); ok && inside && !classes[top] && !leftover(top) {
				empty[top]++
			}
		}
	}
	for i, f := range g.loader.files {
		if err := g.loader.results[i].err; err != nil && isPictureName(f) {
			see(f.Name)
		}
	}
	for _, folder := range g.empty {
		see(folder + "/")
	}
	if names := sortedKeys(empty); len(names) > 0 {
		folders := make([]folderCount, len(names))
		for i, name := range names {
			folders[i].name = name
		}
		l.note("no picture can be read in %s: not a class", folderList(folders))
	}
}
