package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

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
}

// The words that name the folders of a split, and words that may stand beside them.
var (
	trainWords = []string{"train", "training", "trn"}
	testWords  = []string{
		"test", "testing", "tst", "val", "valid", "validation", "validate", "dev", "eval", "evaluation", "holdout",
	}
	splitFillers = []string{
		"seg", "set", "sets", "data", "dataset", "split", "images", "image", "imgs", "img", "pictures", "photos", "pics",
		"folder", "files", "samples", "the", "my", "new", "final", "all", "hq", "lq", "small",
	}
)

// splitOf tells whether a folder's name is that of a split: "train", "seg_test", "Validation Set",
// "val2017". The domains of image translation, "trainA" and "trainB", are splits with a class.
func splitOf(folder string) (r role, class string, ok bool) {
	words, domain := splitWordsOf(folder)
	found := outside
	for _, word := range words {
		word = strings.TrimRight(word, "0123456789")
		is := outside
		switch {
		case slices.Contains(trainWords, word):
			is = toTrain
		case slices.Contains(testWords, word):
			is = toTest
		case word == "" || slices.Contains(splitFillers, word):
			continue
		default:
			return outside, "", false
		}
		if found != outside && found != is {
			return outside, "", false
		}
		found = is
	}
	return found, domain, found != outside
}

// splitWordsOf returns the words of a folder's name in lower case. domain is the last letter of a
// name such as trainA, "" for others.
func splitWordsOf(folder string) (words []string, domain string) {
	for _, word := range slices.Concat(trainWords, testWords) {
		if len(folder) == len(word)+1 && strings.EqualFold(folder[:len(word)], word) {
			if last := folder[len(word):]; last == "A" || last == "B" {
				return []string{word}, last
			}
		}
	}
	return strings.FieldsFunc(strings.ToLower(folder), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), ""
}

// arrange finds the folders that divide the pictures into those to train on and those to test on.
func arrange(names []string) *layout {
	l := &layout{roles: make([]role, len(names)), rest: trimCommon(names)}
	l.enterOnly()
	if !l.divideAt(l.rest) {
		l.divideBelowClasses()
	}
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
	for _, f := range topFolders(names) {
		switch r, _, ok := splitOf(f.name); {
		case !ok:
			others = append(others, f)
		case r == toTrain:
			train = append(train, f)
		default:
			test = append(test, f)
		}
	}
	deep := func(f folderCount) bool { return f.deep }
	alone := len(test) == 0 && slices.ContainsFunc(train, deep) && !slices.ContainsFunc(others, deep)
	if len(train) == 0 || len(test) == 0 && !alone {
		return false
	}
	beside := 0
	for i, name := range names {
		top, below, ok := strings.Cut(name, "/")
		r, class, is := splitOf(top)
		if !ok || !is {
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
	for i, name := range l.rest {
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
	clear(l.roles)
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
	"originals", "edited", "previews", "lightroom", "capture one",
}

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
	return l.named(counts)
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
	isLeft := func(f folderCount) bool { return slices.Contains(leftovers, strings.ToLower(f.name)) }
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

// named gives pictures the folders as classes. Folders of the test pictures may differ from those
// of the training pictures in letter case.
func (l *layout) named(counts []folderCount) []string {
	folded := map[string]string{}
	exact := map[string]bool{}
	for _, f := range counts {
		exact[f.name] = true
		folded[strings.ToLower(f.name)] = f.name
	}
	labels := make([]string, len(l.rest))
	unknown := map[string]int{}
	for i, name := range l.rest {
		top, _, ok := strings.Cut(name, "/")
		switch {
		case !ok || l.roles[i] == outside:
		case exact[top]:
			labels[i] = top
		case folded[strings.ToLower(top)] != "":
			labels[i] = folded[strings.ToLower(top)]
		default:
			unknown[top]++
		}
	}
	for _, folder := range sortedKeys(unknown) {
		l.note("no class of the training pictures is called %s: its %s count as without a class",
			text.Printable(folder), pictures(unknown[folder]))
	}
	return labels
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
