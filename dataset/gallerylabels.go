package dataset

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"encoding/json"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/text"
)

// errUsed marks a file whose content was used, though it is not a picture.
var errUsed = errors.New("used for labels")

// classes returns the class of each picture, "" for none, and nil when no picture has one. They
// come from where the options say; otherwise from the format itself, from folders, from files
// beside the pictures, or from a table, whichever is there first.
func (g *gallery) classes(l *layout) ([]string, error) {
	from := g.loader.options.Labels
	if _, clusters, err := ParseClusters(from); clusters {
		g.divided(l, "")
		return nil, err // they are found once the images are there
	}
	switch from {
	case NoLabels:
		g.divided(l, "")
		return nil, nil
	case FolderLabels:
		g.divided(l, "")
		labels := l.folderClasses(true)
		l.noteUnnamed()
		g.noteEmpty(l, labels)
		if labels == nil {
			return nil, option.Errorf("labels", from, "no folder of the set holds pictures: put those of a class into one")
		}
		return labels, nil
	case "":
		return g.found(l)
	default:
		t, err := namedTable(from)
		if err != nil {
			return nil, err
		}
		t.place = g.placeOf(from)
		readings := g.divided(l, t.place)
		if t.read(newIndex(g.names, l.roles)) == nil {
			g.joinKeys(l, []*table{t}, readings)
		}
		labels, err := l.labelBy(t, g.names)
		g.markUsed(func(f *tree.File) bool { return path.Base(f.Name) == path.Base(t.path) })
		return labels, err
	}
}

// placeOf returns the path of a file inside the set, "" for a file from elsewhere.
func (g *gallery) placeOf(file string) string {
	root, err := filepath.Abs(g.set.Path)
	if err != nil {
		return ""
	}
	if file, err = filepath.Abs(file); err != nil {
		return ""
	}
	inside, err := filepath.Rel(root, file)
	if err != nil || !filepath.IsLocal(inside) {
		return ""
	}
	return filepath.ToSlash(inside)
}

// namedTable reads the file that the options name.
func namedTable(name string) (*table, error) {
	file, err := openRegular(name)
	if err != nil {
		why := option.Say("%v", regularReason(err))
		switch {
		case errors.Is(err, os.ErrNotExist):
			why = option.Say("there is no such file")
		case errors.Is(err, regular.ErrNoFile):
			why = option.Say("it is no file")
		}
		return nil, option.Errorf("labels", name, "%v", why).
			Cured("want %s, %s, %s:32, or a CSV file of names and labels", FolderLabels, NoLabels, ClusterLabels)
	}
	defer func() { _ = file.Close() }()
	t, err := readTable(name, file)
	if err != nil {
		wrong := option.Errorf("labels", name, "%v", err)
		if strings.Contains(err.Error(), ": ") { // it has a cure
			return nil, wrong
		}
		return nil, wrong.Cured("want rows such as name.png,label")
	}
	return t, nil
}

// found returns the classes that the set itself has.
func (g *gallery) found(l *layout) ([]string, error) {
	if l.told = g.labels != nil; l.told {
		return g.labels, nil
	}
	beside, what := g.beside()
	readings := g.divided(l, "")
	if labels := l.folderClasses(false); labels != nil {
		g.byFolders(l, labels, readings)
		if beside != nil {
			l.note("%s are not read: the folders are the classes", what)
		}
		return labels, nil
	}
	if beside != nil {
		l.told = true
		l.note("classes from the %s beside the pictures", what)
		l.dropMissing(beside, "the "+what)
		g.markUsed(isSide)
		return beside, nil
	}
	main, others := chooseTables(readings, l.roles)
	if main == nil {
		g.noteUnread(l, append(g.noteDeclined(l, readings), g.noteOtherTexts(l)...))
		return nil, nil
	}
	for _, r := range main {
		g.markUsed(func(f *tree.File) bool { return f.Name == r.table.path })
	}
	labels := l.labelWith(main)
	for _, r := range others {
		g.noteTable(l, r, "the classes are from "+text.Printable(main[0].table.path))
	}
	return labels, nil
}

// divided divides the pictures by the tables of the set: by lists of names, and by columns of
// splits, wherever the labels come from. The columns of the table at the path named are not used:
// it is read with the labels. It returns what the tables say.
func (g *gallery) divided(l *layout, named string) []*reading {
	tables := g.tables()
	readings := readAll(tables, g.index(l, tables))
	if joined := g.joinKeys(l, tables, readings); joined {
		readings = readAll(tables, g.index(l, tables))
	}
	if l.divideByLists(readings) {
		readings = readAll(tables, g.index(l, tables))
	}
	l.divideByColumns(slices.DeleteFunc(slices.Clone(readings), func(r *reading) bool {
		return !r.enough(len(g.names)) || r.table.path == named
	}))
	for _, r := range readings {
		if r.divides {
			g.markUsed(func(f *tree.File) bool { return f.Name == r.table.path })
		}
	}
	return readings
}

// byFolders completes classes from folders: a table may know the classes of test pictures that lie
// in no folder of a class. It notes the tables that are not read.
func (g *gallery) byFolders(l *layout, labels []string, readings []*reading) {
	classes := map[string]bool{}
	for i, label := range labels {
		if l.roles[i] == toTrain {
			classes[label] = true
		}
	}
	for _, r := range readings {
		switch n := l.complete(labels, classes, r); {
		case n > 0:
			g.markUsed(func(f *tree.File) bool { return f.Name == r.table.path })
			l.note("%s: classes of %s to test on", text.Printable(r.table.path), pictures(n))
		case r.labels() && r.enough(len(labels)):
			g.noteTable(l, r, "the folders are the classes")
		}
	}
	l.noteUnnamed()
	g.noteEmpty(l, labels)
	g.noteRepeats(l, classes)
	g.noteNames(l, classes)
}

// noteNames says that a list of the names of classes is not read, where these are not the folders.
func (g *gallery) noteNames(l *layout, classes map[string]bool) {
	for i, f := range g.loader.files {
		if !slices.Contains(nameLists, strings.ToLower(path.Base(f.Name))) || g.loader.results[i].err == nil || f.Err != nil {
			continue
		}
		t, err := tableOf(f)
		if err != nil {
			continue
		}
		has := map[string]bool{}
		for _, row := range append(t.rows, t.header) {
			for _, name := range row {
				has[text.Composed(strings.TrimSpace(name))] = true
			}
		}
		for class := range classes {
			if class != "" && !has[text.Composed(class)] {
				l.note("%s is not read: the names of the folders are the classes", text.Printable(f.Name))
				break
			}
		}
	}
}

// nameLists are the names of files that have the names of classes, in lower case.
var nameLists = []string{"classes.txt", "class_names.txt", "labels.txt", "names.txt", "obj.names", "classes.names"}

// noteRepeats says that numbers of repeats before the names of folders are not used, where captions
// lie beside the pictures.
func (g *gallery) noteRepeats(l *layout, classes map[string]bool) {
	first := ""
	for class := range classes {
		number, name, ok := strings.Cut(class, "_")
		if _, err := strconv.Atoi(number); class != "" && (!ok || err != nil || name == "") {
			return
		}
		first = max(first, class)
	}
	if slices.ContainsFunc(g.loader.files, func(f *tree.File) bool {
		ending := path.Ext(f.Name)
		return ending == ".txt" || ending == ".caption"
	}) {
		l.note("captions are not read, nor are the numbers of repeats before the names of folders, such as %s",
			text.Printable(first))
	}
}

// complete labels test pictures without a class by a table whose labels are classes. It returns
// their number.
func (l *layout) complete(labels []string, classes map[string]bool, r *reading) int {
	if !r.labels() {
		return 0
	}
	n, called := 0, map[string]string{}
	for class := range classes {
		key := text.Composed(class)
		if _, two := called[key]; two {
			class = ""
		}
		called[key] = class
	}
	for k, row := range r.table.rows {
		i := r.at[k]
		if i < 0 || l.roles[i] != toTest || labels[i] != "" {
			continue
		}
		label := r.labelOf(row)
		if !classes[label] { // its accents may be stored in another way
			label = called[text.Composed(label)]
		}
		if label != "" {
			labels[i] = label
			top, _, _ := strings.Cut(l.rest[i], "/")
			if l.unnamed[top]--; l.unnamed[top] <= 0 {
				delete(l.unnamed, top)
			}
			n++
		}
	}
	return n
}

// noteTable says that a table is not read, and how it is taken.
func (g *gallery) noteTable(l *layout, r *reading, why string) {
	l.note("%s is not read: %s%v", text.Printable(r.table.path), why, g.takes(r.table))
}

// takes returns the end of a note that says how a table of the set is named.
func (g *gallery) takes(t *table) Note {
	where := filepath.Join(g.set.Path, filepath.FromSlash(t.path))
	if info, err := os.Stat(where); err != nil || !info.Mode().IsRegular() {
		return option.Say(" (unpack it and name it as the labels to take it)")
	}
	return option.Say(" (%v takes it)", option.Setting{Option: "labels", Value: where})
}

// noteDeclined says why the tables that name pictures give no labels. It returns their paths.
func (g *gallery) noteDeclined(l *layout, readings []*reading) (paths []string) {
	for _, r := range readings {
		name := text.Printable(r.table.path)
		switch {
		case !r.enough(len(g.names)):
			l.note("no labels are read from %s: %s of the set%v", name,
				text.Count(r.matched, "row names a picture", "rows name pictures"), g.takes(r.table))
		case r.many:
			l.note("no labels are read from %s: nearly each picture has one of its own%v", name, g.takes(r.table))
		case r.list && l.listed, r.divides && (r.divider || !r.labels()):
		case r.why.Format != "":
			l.note("no labels are read from %s: %v", name, r.why)
		}
		paths = append(paths, r.table.path)
	}
	return paths
}

// noteOtherTexts says which texts name the pictures and labels, though they are not called like
// tables, and how they are taken. It returns their paths.
func (g *gallery) noteOtherTexts(l *layout) (paths []string) {
	for _, r := range g.otherLists(l) {
		if r.labels() && !r.many && r.enough(len(g.names)) {
			l.note("%s is not read, as it is not called a list of labels%v", text.Printable(r.table.path), g.takes(r.table))
			paths = append(paths, r.table.path)
		}
	}
	return paths
}

// markUsed takes files that were used out of those that are left out.
func (g *gallery) markUsed(used func(f *tree.File) bool) {
	for i, f := range g.loader.files {
		if g.loader.results[i].err != nil && used(f) {
			g.loader.results[i].err = errUsed
		}
	}
}

// maxTables bounds the number of files that are looked at as tables.
const maxTables = 16

// tables reads the files of the set that may be tables of labels.
func (g *gallery) tables() []*table {
	var list []*table
	looked := 0
	for i, f := range g.loader.files {
		if g.loader.results[i].err == nil || !isTable(f) || f.Err != nil || looked == maxTables {
			continue
		}
		looked++
		if t, err := tableOf(f); err == nil {
			t.place = f.Name
			list = append(list, t)
		}
	}
	return list
}

// listNames are words in the names of tables that end in .txt or .json.
var listNames = []string{
	"labels", "label", "partition", "metadata", "dataset", "annotations", "annotation", "list", "class", "classes", "attr", "split", "instances",
}

// isTable reports whether a file may be a table of labels, by its name.
func isTable(f *tree.File) bool {
	ending, base := strings.ToLower(path.Ext(f.Name)), strings.ToLower(path.Base(f.Name))
	if strings.Contains(base, "submission") {
		return false // the form of the answers of a contest
	}
	if ending == ".txt" || ending == ".json" {
		words := strings.FieldsFunc(strings.TrimSuffix(base, ending), noLetterOrDigit)
		return slices.ContainsFunc(words, func(word string) bool {
			_, _, split := splitOf(word)
			return split && word != "images" || slices.Contains(listNames, word)
		})
	}
	return slices.Contains(tableEndings, ending)
}

// beside returns the labels in small files beside the pictures: WebDataset's .cls and .json, and
// .txt of few different lines. what names them. It is nil where there are none.
func (g *gallery) beside() (labels []string, what string) {
	content := map[string]map[example]string{}
	for i, f := range g.loader.files {
		if !errors.Is(g.loader.results[i].err, errSide) {
			continue
		}
		ending := strings.ToLower(path.Ext(f.Name))
		if content[ending] == nil {
			content[ending] = map[example]string{}
		}
		content[ending][g.example(i, f.Name)] = g.loader.results[i].side
	}
	for _, ending := range sideEndings {
		if labels := g.labelsIn(content[ending], ending); labels != nil {
			return labels, ending + " files"
		}
	}
	return nil, ""
}

// key returns a path up to the first dot of its last element, which joins the files of one example
// (github.com/webdataset/webdataset).
func key(name string) string {
	folder, base := path.Split(name)
	base, _, _ = strings.Cut(base, ".")
	return folder + base
}

// An example joins files by their key and their archive: the keys of two shards may be the same.
type example struct {
	part int
	key  string
}

// example returns the example of a file of the loader.
func (g *gallery) example(i int, name string) example {
	return example{sort.SearchInts(g.loader.parts, i+1), key(name)}
}

// labelsIn returns the labels of the pictures in the files of one ending.
func (g *gallery) labelsIn(content map[example]string, ending string) []string {
	labels := make([]string, len(g.names))
	seen, found := map[string]bool{}, 0
	for i, name := range g.names {
		text, ok := content[g.example(int(g.files[i]), name)]
		if !ok {
			continue
		}
		if labels[i] = labelIn(text, ending); labels[i] != "" {
			seen[labels[i]] = true
			found++
		}
	}
	if found == 0 || ending == ".txt" && (len(seen) > maxWords || 3*len(seen) > found) {
		return nil
	}
	return labels
}

// maxWords is the largest number of different texts that may be labels, and maxWord their length.
const (
	maxWords = 1000
	maxWord  = 64
)

// isBox reports whether a line is a box of YOLO: the number of a class and four or more places.
func isBox(line string) bool {
	fields := strings.Fields(line)
	return len(fields) >= 5 && !slices.ContainsFunc(fields, func(s string) bool {
		_, err := strconv.ParseFloat(s, 64)
		return err != nil
	})
}

// labelIn returns the label in a file of one ending, "" for none.
func labelIn(content, ending string) string {
	if ending != ".json" {
		line := strings.TrimSpace(content)
		if len(line) > maxWord || strings.Contains(line, "\n") || isBox(line) {
			return ""
		}
		return line
	}
	var object map[string]any
	dec := json.NewDecoder(strings.NewReader(content))
	dec.UseNumber()
	if dec.Decode(&object) != nil {
		return ""
	}
	for _, name := range append([]string{"cls"}, labelColumns...) {
		if label := spelled(object[name]); label != "" {
			return label
		}
	}
	return ""
}

// noteUnread says which files may hold labels and were not read. known are told already.
func (g *gallery) noteUnread(l *layout, known []string) {
	count := map[string]int{}
	first := map[string]string{}
	for i, f := range g.loader.files {
		ending := strings.ToLower(path.Ext(f.Name))
		if g.loader.results[i].err != nil && slices.Contains(labelLike, ending) && !slices.Contains(known, f.Name) {
			if count[ending]++; count[ending] == 1 {
				first[ending] = f.Name
			}
		}
	}
	var parts []string
	for _, ending := range sortedKeys(count) {
		part := text.Printable(first[ending])
		if n := count[ending] - 1; n > 0 {
			part += fmt.Sprintf(" and %s", text.Count(n, "other "+ending+" file", "other "+ending+" files"))
		}
		parts = append(parts, part)
	}
	if len(parts) > 0 {
		l.note("no labels are read from %s (%v takes rows such as name.png,label)", strings.Join(parts, ", "),
			option.Setting{Option: "labels", Value: "FILE.csv"})
	}
}

// labelLike are the endings of files that may hold labels.
var labelLike = []string{
	".csv", ".tsv", ".json", ".jsonl", ".txt", ".xml", ".cls", ".mat", ".xlsx", ".xls", ".yaml", ".yml", ".pkl", ".npy", ".caption",
}
