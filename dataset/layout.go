package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
)

// A role is what a picture is for.
type role int8

const (
	toTrain role = iota
	toTest
	outside // neither: it lies beside the folders for training and testing
)

// A layout says what the places of pictures mean.
type layout struct {
	roles []role
	rest  []string // paths below the folders that all pictures, or all of a split, lie in
	notes []Note
	told  bool // labels come from elsewhere than folders

	textOrder bool // see Options.TextOrder

	listed  bool           // files with names of pictures divide them
	unnamed map[string]int // pictures of folders that are not classes of the training pictures
}

// arrange finds the folders that divide the pictures into those to train on and those to test on.
func arrange(names []string) *layout {
	l := &layout{roles: make([]role, len(names)), rest: trimCommon(names)}
	l.enterOnly()
	l.leaveMasksOut()
	if !l.divideAt(l.rest) && !l.divideByWords() {
		l.divideBelowClasses()
	}
	l.leaveMasksOut()
	l.trimInside()
	return l
}

// strayShare is how many pictures beside a folder are strays, as a divisor of the pictures in it.
const strayShare = 20

// enterOnly enters a folder that all but a few stray pictures lie in.
func (l *layout) enterOnly() {
	tops := topFolders(l.rest)
	if len(tops) != 1 {
		return
	}
	inside := tops[0].count
	if strays := len(l.rest) - inside; strays == 0 || strays*strayShare > inside {
		return
	}
	inner := make([]string, 0, inside)
	for _, name := range l.rest {
		if _, below, ok := strings.Cut(name, "/"); ok {
			inner = append(inner, below)
		}
	}
	if len(topFolders(inner)) == 0 {
		return
	}
	for i, name := range l.rest {
		if _, below, ok := strings.Cut(name, "/"); ok {
			l.rest[i] = below
		}
	}
}

// A folderCount is a folder with the number of pictures in it.
type folderCount struct {
	name  string
	count int
	deep  bool // some of them lie in folders below it
}

// topFolders returns the folders at the top, by name.
func topFolders(names []string) []folderCount {
	at := map[string]int{}
	var list []folderCount
	for _, name := range names {
		top, below, ok := strings.Cut(name, "/")
		if !ok {
			continue
		}
		k, known := at[top]
		if !known {
			k = len(list)
			at[top] = k
			list = append(list, folderCount{name: top})
		}
		list[k].count++
		list[k].deep = list[k].deep || strings.Contains(below, "/")
	}
	slices.SortFunc(list, func(a, b folderCount) int { return text.CompareNatural(a.name, b.name) })
	return list
}

// divideAt gives pictures their roles by the folders at the top. It reports whether these divide
// the pictures.
func (l *layout) divideAt(names []string) bool {
	var train, test, others []folderCount
	for _, f := range topFolders(l.counted(names)) {
		switch r, _, ok := splitOf(f.name); {
		case !ok:
			others = append(others, f)
		case r == toTrain:
			train = append(train, f)
		default:
			test = append(test, f)
		}
	}
	if len(train) == 0 || len(test) == 0 && !alone(train, others) {
		return false
	}
	beside := 0
	for i, name := range names {
		top, below, ok := strings.Cut(name, "/")
		r, class, is := splitOf(top)
		switch {
		case l.roles[i] == outside:
			continue
		case !ok || !is:
			l.roles[i] = outside
			if !ok {
				beside++
			}
			continue
		}
		if l.roles[i], l.rest[i] = r, below; class != "" {
			l.rest[i] = class + "/" + below
		}
	}
	l.noteOutside(train, test, others, beside)
	return true
}

// alone reports whether folders for training make a split without folders for testing: the others
// hold no folders, or pictures of no class.
func alone(train, others []folderCount) bool {
	deep := func(f folderCount) bool { return f.deep }
	unlabelled := func(f folderCount) bool { return !slices.Contains(unlabelledWords, strings.ToLower(f.name)) }
	return slices.ContainsFunc(train, deep) && !slices.ContainsFunc(others, deep) ||
		len(others) > 0 && !slices.ContainsFunc(others, unlabelled)
}

// counted returns the names without those of pictures that are left out.
func (l *layout) counted(names []string) []string {
	if !slices.Contains(l.roles, outside) {
		return names
	}
	var list []string
	for i, name := range names {
		if l.roles[i] != outside {
			list = append(list, name)
		}
	}
	return list
}

// noteOutside says what lies beside the folders of a split, and is left out.
func (l *layout) noteOutside(train, test, others []folderCount, beside int) {
	var left []string
	for _, f := range others[:min(len(others), shownNames)] {
		left = append(left, fmt.Sprintf("%s (%s)", text.Printable(f.name), pictures(f.count)))
	}
	if n := len(others) - len(left); n > 0 {
		left = append(left, text.Count(n, "other folder", "other folders"))
	}
	if beside > 0 {
		left = append(left, pictures(beside)+" in no folder")
	}
	if len(left) == 0 {
		return
	}
	split := slices.Concat(train, test)
	l.note("left out, beside %s: %s", folderList(split), strings.Join(left, ", "))
}

// divideBelowClasses divides pictures whose class folders each hold the folders of a split, and
// puts the split first.
func (l *layout) divideBelowClasses() {
	inner := make([]string, len(l.rest))
	before := slices.Clone(l.roles)
	for i, name := range l.rest {
		if l.roles[i] == outside {
			continue
		}
		top, below, _ := strings.Cut(name, "/")
		second, file, ok := strings.Cut(below, "/")
		if _, _, is := splitOf(second); !ok || !is {
			return
		}
		inner[i] = second + "/" + top + "/" + file
	}
	if l.divideAt(inner) && slices.Contains(l.roles, toTest) {
		return
	}
	l.roles = before
}

// trimInside removes the folders that all pictures that are not left out lie in. Some archives have
// the folder of a split twice: seg_train/seg_train.
func (l *layout) trimInside() {
	for _, r := range []role{toTrain, toTest} {
		is := func(role role) bool { return role == r }
		if tops := l.topsOf(is); len(tops) == 1 {
			if again, _, ok := splitOf(tops[0].name); ok && again == r {
				l.enter(is)
			}
		}
	}
	l.trim(func(r role) bool { return r != outside })
}

// topsOf returns the folders at the top of the pictures of some roles. A picture in no folder
// counts as a folder without a name.
func (l *layout) topsOf(is func(role) bool) []folderCount {
	var names []string
	for i, r := range l.roles {
		switch {
		case !is(r):
		case strings.Contains(l.rest[i], "/"):
			names = append(names, l.rest[i])
		default:
			names = append(names, "/"+l.rest[i])
		}
	}
	return topFolders(names)
}

// enter removes the first folder from the paths of pictures of some roles.
func (l *layout) enter(is func(role) bool) {
	for i, r := range l.roles {
		if is(r) {
			_, l.rest[i], _ = strings.Cut(l.rest[i], "/")
		}
	}
}

// trim removes the folders that all pictures of some roles lie in.
func (l *layout) trim(is func(role) bool) {
	var inside []string
	var at []int
	for i, r := range l.roles {
		if is(r) {
			inside, at = append(inside, l.rest[i]), append(at, i)
		}
	}
	for k, name := range trimCommon(inside) {
		l.rest[at[k]] = name
	}
}

func (l *layout) note(format string, args ...any) {
	l.notes = append(l.notes, option.Say(format, args...))
}

// trimCommon removes the folders that all files lie in, as they are not classes. It leaves names as
// they are.
func trimCommon(names []string) []string {
	short := slices.Clone(names)
	for len(short) > 0 {
		top, _, ok := strings.Cut(short[0], "/")
		if !ok || slices.ContainsFunc(short, func(name string) bool { return !strings.HasPrefix(name, top+"/") }) {
			break
		}
		for i, name := range short {
			short[i] = name[len(top)+1:]
		}
	}
	return short
}

// leftovers are names of folders that programs leave beside class folders, in lower case.
var leftovers = []string{
	"thumbs", "thumbnails", "_thumbs", "cache", "__pycache__", "tmp", "temp", "backup", "backups", "trash", "deleted",
	"node_modules", "venv", "originals", "edited", "previews", "lightroom", "capture one",
}

func leftover(folder string) bool { return slices.Contains(leftovers, strings.ToLower(folder)) }

// folderClasses returns the class of each picture by the folders, "" for none. forced says that
// folders are classes whatever else there is.
func (l *layout) folderClasses(forced bool) []string {
	counts, loose := l.trainFolders()
	total := loose
	for _, f := range counts {
		total += f.count
	}
	if !forced {
		counts = l.withoutLeftovers(counts)
	}
	switch {
	case len(counts) == 0:
		return nil
	case forced:
	case len(counts) == 1 && loose == 0:
		l.note("all pictures to train on lie in one folder, %s: no classes", text.Printable(counts[0].name))
		return nil
	case len(counts) == 1, 2*loose > total:
		l.note("%s in no folder beside %s: no classes, and all of them are trained on%v",
			text.Count(loose, "picture lies", "pictures lie"), folderList(counts), hint("labels", FolderLabels))
		return nil
	}
	if loose > 0 {
		l.note("%s in no class folder, and without a class", text.Count(loose, "picture lies", "pictures lie"))
	}
	l.noteDeeper()
	return l.named(counts)
}

// noteDeeper says that folders below those of classes are not told apart, where there are several.
func (l *layout) noteDeeper() {
	below := map[string]string{}
	for i, name := range l.rest {
		top, rest, _ := strings.Cut(name, "/")
		second, _, ok := strings.Cut(rest, "/")
		if !ok || l.roles[i] != toTrain {
			continue
		}
		if other, known := below[top]; known && other != second {
			l.note("the classes are the folders at the first level: those below, such as %s and %s, are not told apart",
				text.Printable(top+"/"+other), text.Printable(top+"/"+second))
			return
		}
		below[top] = second
	}
}

// trainFolders counts the pictures to train on by their folders, and those in none.
func (l *layout) trainFolders() (folders []folderCount, loose int) {
	var names []string
	for i, name := range l.rest {
		switch {
		case l.roles[i] != toTrain:
		case strings.Contains(name, "/"):
			names = append(names, name)
		default:
			loose++
		}
	}
	return topFolders(names), loose
}

// withoutLeftovers takes the folders away that programs leave. Their pictures are left out where
// two class folders stay.
func (l *layout) withoutLeftovers(counts []folderCount) []folderCount {
	isLeft := func(f folderCount) bool { return leftover(f.name) }
	kept := slices.DeleteFunc(slices.Clone(counts), isLeft)
	if len(kept) < 2 || len(kept) == len(counts) {
		return counts
	}
	var left []string
	for _, f := range counts {
		if isLeft(f) {
			left = append(left, fmt.Sprintf("%s (%s)", text.Printable(f.name), pictures(f.count)))
		}
	}
	for i, name := range l.rest {
		top, _, ok := strings.Cut(name, "/")
		if ok && isLeft(folderCount{name: top}) {
			l.roles[i] = outside
		}
	}
	l.note("left out, beside class folders: %s%v", strings.Join(left, ", "), hint("labels", FolderLabels))
	return kept
}

// named gives pictures the folders as classes. Folders of the test pictures may be spelled in other
// capitals, or with accents that are stored in another way.
func (l *layout) named(counts []folderCount) []string {
	folded := map[string]string{}
	exact := map[string]bool{}
	for _, f := range counts {
		exact[f.name] = true
		folded[text.Fold(f.name)] = f.name
	}
	labels := make([]string, len(l.rest))
	l.unnamed = map[string]int{}
	for i, name := range l.rest {
		top, _, ok := strings.Cut(name, "/")
		switch {
		case !ok || l.roles[i] == outside:
		case exact[top]:
			labels[i] = top
		default:
			if labels[i] = folded[text.Fold(top)]; labels[i] == "" {
				l.unnamed[top]++
			}
		}
	}
	return labels
}

// noteUnnamed says which folders of test pictures are not classes.
func (l *layout) noteUnnamed() {
	l.noteCounts("no class of the training pictures is called %s: its %s count as without a class",
		"pictures of %s are of no class of the training pictures", l.unnamed)
}

// noteCounts makes a note for each of a few names, with the name and its pictures, and one note
// that counts the others.
func (l *layout) noteCounts(each, others string, counts map[string]int) {
	names := sortedKeys(counts)
	for _, name := range names[:min(len(names), shownNames)] {
		l.note(each, text.Printable(name), pictures(counts[name]))
	}
	if n := len(names) - shownNames; n > 0 {
		l.note(others, text.Count(n, "other name", "other names"))
	}
}

// shownNames is the number of names in a note.
const shownNames = 3

// folderList names folders with their slashes.
func folderList(folders []folderCount) string {
	var names []string
	for _, f := range folders[:min(len(folders), shownNames)] {
		names = append(names, text.Printable(f.name)+"/")
	}
	if n := len(folders) - len(names); n > 0 {
		return strings.Join(names, ", ") + " and " + text.Count(n, "other folder", "other folders")
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func pictures(n int) string { return text.Count(n, "picture", "pictures") }

// hint returns the end of a note that names the option that decides what was guessed.
func hint(name string, value any) Note {
	return option.Say(" (%v decides otherwise)", option.Setting{Option: name, Value: value})
}

func sortedKeys(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), text.CompareNatural)
}
