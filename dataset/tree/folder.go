package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/text/encoding/charmap"
)

// A folder opens files by the names that the system knows.
type folder struct {
	root  string
	names []string // of all files, as the system spells them; a file's at is an index
}

func (d *folder) open(f *File) (io.ReadCloser, error) {
	return os.Open(filepath.Join(d.root, d.names[f.at]))
}

// A lister lists a folder.
type lister struct {
	ctx    context.Context
	tree   *Tree
	folder *folder
	seen   []fs.FileInfo // the folders that are listed
	links  []place       // links to folders, which are followed when all others are listed

	system, circles []string // folders that are left out
	strange         int      // names that are not in UTF-8
	firstStrange    string
}

// A place is a folder or file below the root.
type place struct {
	raw  string // as the system spells it, with the system's separators
	name string // in UTF-8, with slashes
}

// Folder lists the files below a folder. ctx can end it.
func Folder(ctx context.Context, root string) (*Tree, error) {
	d := &folder{root: root}
	l := &lister{ctx: ctx, tree: &Tree{Kind: "folder"}, folder: d}
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	if err := l.list(place{}, info); err != nil {
		return nil, err
	}
	for len(l.links) > 0 { // a followed link may lead to others
		link := l.links[0]
		l.links = l.links[1:]
		info, err := os.Stat(filepath.Join(root, link.raw))
		switch {
		case err != nil:
			l.add(link, 0, fmt.Errorf("%w: %w", ErrRead, withoutPath(err)))
		case l.listed(info):
			l.circles = append(l.circles, link.name)
		default:
			if err := l.list(link, info); err != nil {
				return nil, err
			}
		}
	}
	l.tree.sort()
	l.note()
	return l.tree, nil
}

// list adds the files of a folder and of the folders below it. Only an error of the root and the
// end of the context end the listing.
func (l *lister) list(at place, info fs.FileInfo) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	l.seen = append(l.seen, info)
	entries, err := os.ReadDir(filepath.Join(l.folder.root, at.raw))
	if err != nil && at.raw == "" {
		return err
	}
	if err != nil {
		l.add(at, 0, fmt.Errorf("%w: %w", ErrRead, withoutPath(err)))
	}
	if len(entries) == 0 && at.name != "" {
		l.tree.Empty = append(l.tree.Empty, at.name)
	}
	for _, e := range entries {
		if err := l.entry(l.below(at, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

// below returns the place of a folder's entry.
func (l *lister) below(at place, raw string) place {
	name, ok := decoded(raw, charmap.Windows1252)
	if !ok {
		if l.strange++; l.strange == 1 {
			l.firstStrange = name
		}
	}
	if at.raw == "" {
		return place{raw, name}
	}
	return place{at.raw + string(filepath.Separator) + raw, at.name + "/" + name}
}

// entry adds one entry of a folder.
func (l *lister) entry(at place, e fs.DirEntry) error {
	info, err := e.Info()
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		info, err = os.Stat(filepath.Join(l.folder.root, at.raw))
		if err == nil && info.IsDir() && !System(at.name) {
			l.links = append(l.links, at)
			return nil
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && !System(at.name):
		l.add(at, 0, ErrNoFile)
	case err != nil && !System(at.name):
		l.add(at, 0, fmt.Errorf("%w: %w", ErrRead, withoutPath(err)))
	case System(at.name):
		if err == nil && info.IsDir() {
			l.system = append(l.system, at.name)
		}
	case info.IsDir():
		return l.list(at, info)
	case !info.Mode().IsRegular():
		l.add(at, 0, ErrNoFile) // pipes and devices too, as reading them might never end
	default:
		l.add(at, info.Size(), nil)
	}
	return nil
}

func (l *lister) add(at place, size int64, err error) {
	f := &File{Name: at.name, Size: size, Err: err, from: l.folder, at: len(l.folder.names)}
	l.folder.names = append(l.folder.names, at.raw)
	l.tree.Files = append(l.tree.Files, f)
}

// listed reports whether a folder is listed already.
func (l *lister) listed(info fs.FileInfo) bool {
	for _, seen := range l.seen {
		if os.SameFile(seen, info) {
			return true
		}
	}
	return false
}

// note says what was left out and guessed.
func (l *lister) note() {
	if note := noteSystem(l.system); note != "" {
		l.tree.Notes = append(l.tree.Notes, note)
	}
	if len(l.circles) > 0 {
		l.tree.Notes = append(l.tree.Notes,
			"links to folders that are in the set already are not followed: "+enumerate(l.circles))
	}
	if note := encodingNote(l.strange, l.firstStrange, charmap.Windows1252); note != "" {
		l.tree.Notes = append(l.tree.Notes, note)
	}
}
