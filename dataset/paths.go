package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset/array"
	"github.com/fmimg/fmimg/dataset/decode"
	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/filekind"
	"github.com/fmimg/fmimg/internal/text"
)

// A place is what a path leads to: the trees of its files.
type place struct {
	path   string
	format string // "folder", "zip", "tar", "file"
	trees  []*tree.Tree
	chosen string // the file that was named, where the trees have others beside it; "" for all

	archives []string // that a folder holds, and whose contents are the trees
}

// openPath reads a folder or a file that exists. It tells the formats of files apart.
func openPath(ctx context.Context, path string, info fs.FileInfo, o Options) (*Set, error) {
	p := &place{path: path}
	defer p.close()
	err := p.look(ctx, info)
	var set *Set
	if err == nil {
		set, err = p.read(ctx, o)
	}
	if _, ok := errors.AsType[*FormatError](err); ok || err == nil {
		return set, err
	}
	return nil, fmt.Errorf("data set %s: %w", path, err)
}

func (p *place) close() {
	for _, t := range p.trees {
		_ = t.Close() // only read
	}
}

// look finds the trees of the path.
func (p *place) look(ctx context.Context, info fs.FileInfo) error {
	if info.IsDir() {
		t, err := tree.Folder(ctx, p.path)
		if err != nil {
			return regularReason(err)
		}
		p.format, p.trees = "folder", []*tree.Tree{t}
		return p.expand(t)
	}
	if !info.Mode().IsRegular() {
		return formatError(p.path, "it is no file and no folder")
	}
	t, err := tree.Archive(p.path, usualLimits.tree)
	if err != nil {
		return err
	}
	if t != nil {
		p.format, p.trees = t.Kind, []*tree.Tree{t}
		return nil
	}
	return p.lookBeside(info)
}

// lookBeside makes a tree of one file, and of the files beside it that may belong to it.
func (p *place) lookBeside(info fs.FileInfo) error {
	head, err := readHead(p.path)
	if err != nil {
		return err
	}
	if decode.Check(head) == nil {
		return formatError(p.path, "it is one picture: name a folder of them")
	}
	folder, name := filepath.Split(p.path)
	entries, err := os.ReadDir(cmp.Or(folder, "."))
	if err != nil {
		return regularReason(err)
	}
	t := &tree.Tree{Kind: "file"}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && !e.IsDir() && (e.Name() == name || belongs(e.Name(), name)) {
			path := filepath.Join(folder, e.Name())
			t.Files = append(t.Files, tree.New(e.Name(), info.Size(), func() (io.ReadCloser, error) { return openRegular(path) }))
		}
	}
	if !slices.ContainsFunc(t.Files, func(f *tree.File) bool { return f.Name == name }) {
		t.Files = append(t.Files, tree.New(name, info.Size(), func() (io.ReadCloser, error) { return openRegular(p.path) }))
	}
	p.format, p.trees, p.chosen = "file", []*tree.Tree{t}, name
	return nil
}

// belongs reports whether a file may belong to the set of a named file: the labels of its images,
// the names of classes.
func belongs(other, name string) bool {
	lower := strings.ToLower(other)
	name = strings.ToLower(name)
	both := func(part string) bool { return strings.Contains(name, part) && strings.Contains(lower, part) }
	return both("idx") || both("ubyte") || both(".npy") || both(".npz") || strings.HasSuffix(lower, "mapping.txt") ||
		strings.HasSuffix(lower, "classmap.csv") || slices.Contains(nameFiles, lower)
}

// nameFiles are the files of classes' names that sets of arrays have.
var nameFiles = []string{
	"classes.txt", "class_names.txt", "label_names.txt", "labels.txt", "batches.meta", "batches.meta.txt", "meta",
	"fine_label_names.txt",
}

// archiveEndings are the endings of archives that a folder of archives may hold.
var archiveEndings = []string{".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2"}

// expand opens the archives of a folder that has no pictures or arrays beside them, such as the
// shards of WebDataset. The name of an archive becomes a folder, as shardFolders says.
func (p *place) expand(t *tree.Tree) error {
	isArchive := func(f *tree.File) bool { return archiveEnding(f.Name) != "" }
	if !slices.ContainsFunc(t.Files, isArchive) || slices.ContainsFunc(t.Files, isPictureName) ||
		len(array.Find(t.Files)) > 0 {
		return nil
	}
	others := &tree.Tree{Kind: t.Kind, Notes: t.Notes}
	p.trees = []*tree.Tree{others}
	var names []string
	for _, f := range t.Files {
		if !isArchive(f) {
			others.Files = append(others.Files, f)
			continue
		}
		inner, err := tree.Archive(filepath.Join(p.path, filepath.FromSlash(f.Name)), usualLimits.tree)
		if err != nil {
			return fmt.Errorf("%s: %w", text.Printable(f.Name), err)
		}
		if inner == nil {
			others.Files = append(others.Files, f)
			continue
		}
		p.trees, names = append(p.trees, inner), append(names, f.Name)
	}
	p.archives = names
	folders, note := shardFolders(names, p.trees[1:])
	if note != "" {
		others.Notes = append(others.Notes, note)
	}
	for i, folder := range folders {
		for _, g := range p.trees[1+i].Files {
			g.Name = path.Join(folder, g.Name)
		}
	}
	p.format = fmt.Sprintf("folder of %s", text.Count(len(names), "archive", "archives"))
	return nil
}

func archiveEnding(name string) string {
	lower := strings.ToLower(name)
	i := slices.IndexFunc(archiveEndings, func(end string) bool { return strings.HasSuffix(lower, end) })
	if i < 0 {
		return ""
	}
	return archiveEndings[i]
}

// pictureEndings are usual endings of pictures. Only guesses use them: the content of a file tells
// what it is.
var pictureEndings = []string{
	".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".pgm", ".ppm", ".pbm",
	".pnm", ".pam", ".avif", ".heic", ".heif", ".jxl", ".apng",
}

func isPictureName(f *tree.File) bool {
	return slices.Contains(pictureEndings, strings.ToLower(path.Ext(f.Name)))
}

// read reads the files of the place: arrays, rows, or pictures.
func (p *place) read(ctx context.Context, o Options) (*Set, error) {
	set := &Set{Path: p.path}
	if o.TextOrder {
		p.orderByText()
	}
	for _, t := range p.trees {
		for _, note := range t.Notes {
			set.Notes = append(set.Notes, Note{Format: "%s", Args: []any{note}})
		}
	}
	p.leaveRunsOut(set)
	files := filesOf(p.trees)
	pictures := slices.DeleteFunc(slices.Clone(files), func(f *tree.File) bool { return !isPictureName(f) })
	arrays, rows := withoutPictures(p.arrays(files), files), p.rowFiles(files)
	switch {
	case len(arrays) > 0 && prevail(arrayFiles(arrays), pictures):
		set.noteFew(pictures, "arrays")
		p.noteMissingParts(set, arrayFiles(arrays))
		return p.readArrays(ctx, set, arrays, o)
	case len(rows) > 0 && prevail(rows, pictures):
		set.noteFew(pictures, "rows of a table")
		p.noteMissingParts(set, rows)
		return set, readRows(ctx, set, rows, o)
	case len(arrays)+len(rows)+len(pictures) == 0 && p.labelsAlone(files) != "":
		name := p.labelsAlone(files)
		return nil, fmt.Errorf("%s has labels by its name and dimensions, and there are no images beside it: "+
			"put them there as images%s, or give it another name if it holds images", text.Printable(name), path.Ext(name))
	case p.chosen != "":
		return nil, p.notData()
	}
	for _, a := range arrays {
		set.noteUnread(a.Name)
	}
	for _, f := range rows {
		set.noteUnread(f.Name)
	}
	p.noteMissingParts(set, nil)
	set.Format = p.format + " of pictures"
	return set, p.ofProgram(readPictures(ctx, set, p.trees, nil, o))
}

// arrays returns the sets of arrays among files: those that the named file belongs to, where one is
// named.
func (p *place) arrays(files []*tree.File) []array.Source {
	return slices.DeleteFunc(array.Find(files), func(s array.Source) bool { return p.chosen != "" && !has(s.Files, p.chosen) })
}

// labelsAlone returns a file of labels that have no images, the named one where one is named, empty
// for none.
func (p *place) labelsAlone(files []*tree.File) string {
	return array.LabelsAlone(slices.DeleteFunc(slices.Clone(files), func(f *tree.File) bool {
		return p.chosen != "" && f.Name != p.chosen
	}))
}

// prevail reports whether files of data, not the pictures beside them, are the set. A few small
// pictures are there to show what it is.
func prevail(data, pictures []*tree.File) bool {
	const few, larger = 32, 8
	return len(pictures) <= len(data) || len(pictures) < few && bytesOf(data) > larger*bytesOf(pictures)
}

func bytesOf(files []*tree.File) float64 {
	n := 0.0
	for _, f := range files {
		n += float64(f.Size)
	}
	return n
}

// noteFew says that pictures are left out.
func (s *Set) noteFew(pictures []*tree.File, by string) {
	such := ", such as "
	switch len(pictures) {
	case 0:
		return
	case 1:
		such = ": "
	}
	s.Notes = append(s.Notes, Note{Format: "the data are %s, and %s left out%s%s", Args: []any{
		by, text.Count(len(pictures), "picture is", "pictures are"), such, text.Printable(pictures[0].Name)}})
}

// noteUnread says that a file of arrays or rows is not read.
func (s *Set) noteUnread(name string) {
	s.Notes = append(s.Notes, Note{Format: "%s is not read, as there are more pictures (name it to read it)",
		Args: []any{text.Printable(name)}})
}

// ofProgram says what a zip without pictures is: files of many programs are zips.
func (p *place) ofProgram(err error) error {
	if err == nil || p.format != "zip" {
		return err
	}
	head, _ := readHead(p.path)
	if what, cure := filekind.OfData(p.path, head); what != "" && what != filekind.Zip {
		return formatError(p.path, filekind.Sentence(what, cure))
	}
	return err
}

// orderByText brings the files into the order of text. A folder comes before one whose name goes on
// where that of the folder ends; in an archive the whole paths are compared.
func (p *place) orderByText() {
	for _, t := range p.trees {
		slices.SortStableFunc(t.Files, func(a, b *tree.File) int {
			if t.Kind != "folder" {
				return strings.Compare(a.Name, b.Name)
			}
			return slices.Compare(strings.Split(a.Name, "/"), strings.Split(b.Name, "/"))
		})
	}
}

// notData returns the error for a file that is named and is not a set.
func (p *place) notData() error {
	head, err := readHead(p.path)
	if err != nil {
		return err
	}
	if what, cure := filekind.OfData(p.chosen, head); cure != "" {
		return formatError(p.path, filekind.Sentence(what, cure))
	}
	if strings.EqualFold(filepath.Ext(p.chosen), ".csv") {
		return formatError(p.path, "its rows are no pixels; if they name pictures, name the folder of these as data, "+
			"and the file as the labels")
	}
	known := ""
	if err := noPicture(p.chosen, head); err != nil {
		if _, why, found := strings.Cut(err.Error(), ": "); found {
			known = "it is " + why + "; "
		}
	}
	return formatError(p.path, known+"name a folder or archive of pictures ("+decode.Readable("or")+"), "+
		"IDX files, CIFAR batches, a .npy or .npz array, a .csv of pixels, or a .parquet file")
}

// withoutPictures returns the arrays, and none of them where each has a picture of its name beside
// it: programs for training store what they computed of a picture so.
func withoutPictures(arrays []array.Source, files []*tree.File) []array.Source {
	if len(arrays) == 0 {
		return nil
	}
	stems := map[string]bool{}
	for _, f := range files {
		if isPictureName(f) {
			stems[strings.TrimSuffix(f.Name, path.Ext(f.Name))] = true
		}
	}
	own := func(f *tree.File) bool {
		for stem := strings.TrimSuffix(f.Name, path.Ext(f.Name)); !stems[stem]; {
			cut := strings.LastIndexByte(stem, '_') // a_0512x0512_sdxl.npz belongs to a.png
			if cut <= 0 {
				return true
			}
			stem = stem[:cut]
		}
		return false
	}
	if slices.ContainsFunc(arrays, func(a array.Source) bool { return slices.ContainsFunc(a.Files, own) }) {
		return arrays
	}
	return nil
}

// arrayFiles returns the files of arrays.
func arrayFiles(arrays []array.Source) []*tree.File {
	var list []*tree.File
	for _, a := range arrays {
		list = append(list, a.Files...)
	}
	return list
}

// leaveRunsOut takes the folders of trainings away that lie among the pictures: their previews are
// pictures too.
func (p *place) leaveRunsOut(set *Set) {
	for _, t := range p.trees {
		runs := map[string]bool{}
		for _, f := range t.Files {
			if path.Base(f.Name) == "state.safetensors" || path.Base(f.Name) == "model.safetensors" {
				runs[path.Dir(f.Name)] = true
			}
		}
		if delete(runs, "."); len(runs) == 0 {
			continue
		}
		inside := func(f *tree.File) bool {
			for folder := path.Dir(f.Name); folder != "."; folder = path.Dir(folder) {
				if runs[folder] {
					return true
				}
			}
			return false
		}
		t.Files = slices.DeleteFunc(t.Files, inside)
		for _, folder := range slices.SortedFunc(maps.Keys(runs), text.CompareNatural) {
			set.Notes = append(set.Notes, Note{Format: "left out, as it is the folder of a training run: %s/",
				Args: []any{text.Printable(folder)}})
		}
	}
}
