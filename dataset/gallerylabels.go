package dataset

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"encoding/json"

	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
)

// errUsed marks a file whose content was used, though it is not a picture.
var errUsed = errors.New("used for labels")

// classes returns the class of each picture, "" for none, and nil when no picture has one. They
// come from where the options say; otherwise from the format itself, from folders, from files
// beside the pictures, or from a table, whichever is there first.
func (g *gallery) classes(l *layout) ([]string, error) {
	switch from := g.loader.options.Labels; from {
	case NoLabels:
		return nil, nil
	case FolderLabels:
		labels := l.folderClasses(true)
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
		labels, err := l.labelBy(t, g.names)
		g.markUsed(func(f *tree.File) bool { return path.Base(f.Name) == path.Base(t.path) })
		return labels, err
	}
}

// namedTable reads the file that the options name.
func namedTable(name string) (*table, error) {
	file, err := openRegular(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, option.Errorf("labels", name, "there is no such file").
			Cured("want %s, %s, or a CSV file of names and labels", FolderLabels, NoLabels)
	}
	if err != nil {
		return nil, option.Errorf("labels", name, "%v", err)
	}
	defer func() { _ = file.Close() }()
	t, err := readTable(name, file)
	if err != nil {
		return nil, option.Errorf("labels", name, "%v: want rows such as name.png,label", err)
	}
	return t, nil
}

// found returns the classes that the set itself has.
func (g *gallery) found(l *layout) ([]string, error) {
	if l.told = g.labels != nil; l.told {
		return g.labels, nil
	}
	labels := l.folderClasses(false)
	beside, what := g.beside()
	tables := g.tables()
	if labels != nil {
		if beside != nil {
			l.note("%s are not read: the folders are the classes", what)
		}
		for _, t := range tables {
			l.note("%s is not read: the folders are the classes (%v takes it)", text.Printable(t.path),
				option.Setting{Option: "labels", Value: t.path})
		}
		return labels, nil
	}
	if beside != nil {
		l.told = true
		l.note("classes from the %s beside the pictures", what)
		g.markUsed(isSide)
		return beside, nil
	}
	for _, t := range tables {
		if labels, err := l.labelBy(t, g.names); err == nil {
			g.markUsed(func(f *tree.File) bool { return f.Name == t.path })
			return labels, nil
		}
	}
	g.noteUnread(l)
	return nil, nil
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

// tables returns the tables of the set that name pictures and have labels. Small ones with a name
// like that of a picture are not tables of the set.
func (g *gallery) tables() []*table {
	var list []*table
	var x *index
	looked := 0
	for i, f := range g.loader.files {
		if g.loader.results[i].err == nil || !isTable(f) || f.Err != nil || looked == maxTables {
			continue
		}
		looked++
		t, err := tableOf(f)
		if err != nil {
			continue
		}
		if x == nil {
			x = newIndex(g.names)
		}
		if r := t.read(x); r != nil && (r.label >= 0 || r.classes != nil) {
			list = append(list, t)
		}
	}
	return list
}

// isTable reports whether a file may be a table of labels, by its name.
func isTable(f *tree.File) bool {
	ending := strings.ToLower(path.Ext(f.Name))
	if ending == ".txt" || ending == ".json" {
		base := strings.ToLower(strings.TrimSuffix(path.Base(f.Name), path.Ext(f.Name)))
		return slices.Contains([]string{"labels", "label", "metadata", "dataset", "annotations", "train", "list"}, base)
	}
	return slices.Contains(tableEndings, ending)
}

// beside returns the labels in small files beside the pictures: WebDataset's .cls and .json, and
// .txt of few different lines. what names them. It is nil where there are none.
func (g *gallery) beside() (labels []string, what string) {
	content := map[string]map[string]string{}
	for i, f := range g.loader.files {
		if !errors.Is(g.loader.results[i].err, errSide) {
			continue
		}
		ending := strings.ToLower(path.Ext(f.Name))
		if content[ending] == nil {
			content[ending] = map[string]string{}
		}
		content[ending][key(f.Name)] = g.loader.results[i].side
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

// labelsIn returns the labels of the pictures in the files of one ending.
func (g *gallery) labelsIn(content map[string]string, ending string) []string {
	labels := make([]string, len(g.names))
	seen, found := map[string]bool{}, 0
	for i, name := range g.names {
		text, ok := content[key(name)]
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

// labelIn returns the label in a file of one ending, "" for none.
func labelIn(content, ending string) string {
	if ending != ".json" {
		line := strings.TrimSpace(content)
		if len(line) > maxWord || strings.Contains(line, "\n") {
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

// noteUnread says which files may hold labels and were not read.
func (g *gallery) noteUnread(l *layout) {
	count := map[string]int{}
	first := map[string]string{}
	for i, f := range g.loader.files {
		ending := strings.ToLower(path.Ext(f.Name))
		if g.loader.results[i].err != nil && slices.Contains(labelLike, ending) {
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
