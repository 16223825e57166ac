package tree

import (
	"fmt"
	"path"
	"strings"

	"github.com/fmimg/fmimg/internal/text"
)

// A linkTo is a link in an archive, and the name that it leads to.
type linkTo struct {
	file *File
	to   string // from the top of the archive
}

// symlinkTo returns where a symbolic link leads.
func symlinkTo(name, target string) string {
	if strings.HasPrefix(target, "/") {
		return path.Clean(target)[1:]
	}
	return path.Join(path.Dir(name), target)
}

// maxLinks bounds the links that lead to each other.
const maxLinks = 16

// follow lets links open the files that they lead to. Those that lead to folders of the archive are
// left out with a note, as the archive has the files of these folders already.
func (t *Tree) follow(links []linkTo) {
	if len(links) == 0 {
		return
	}
	byName := make(map[string]*File, len(t.Files))
	folders := map[string]bool{}
	for _, f := range t.Files {
		byName[f.Name] = f
		for folder := path.Dir(f.Name); folder != "." && folder != "/" && !folders[folder]; folder = path.Dir(folder) {
			folders[folder] = true
		}
	}
	next := make(map[*File]string, len(links))
	for _, l := range links {
		next[l.file] = l.to
	}
	drop := map[*File]bool{}
	var toFolders []string
	for _, l := range links {
		to := l.to
		for range maxLinks {
			f := byName[to]
			further, isLink := next[f]
			if f == nil || !isLink {
				break
			}
			to = further
		}
		switch f := byName[to]; {
		case f != nil && f.Err == nil:
			l.file.Size, l.file.Err, l.file.from, l.file.at = f.Size, nil, f.from, f.at
		case folders[to] || to == ".":
			toFolders, drop[l.file] = append(toFolders, l.file.Name), true
		default:
			l.file.Err = fmt.Errorf("%w: it leads to %s", ErrNoFile, text.Printable(to))
		}
	}
	t.drop(drop)
	if len(toFolders) > 0 {
		t.Notes = append(t.Notes, "links to folders that are in the set already are not followed: "+enumerate(toFolders))
	}
}

// drop takes files away.
func (t *Tree) drop(files map[*File]bool) {
	if len(files) == 0 {
		return
	}
	kept := t.Files[:0]
	for _, f := range t.Files {
		if !files[f] {
			kept = append(kept, f)
		}
	}
	t.Files = kept
}

// dropDoubles keeps the last of the files that have one name, as programs that unpack an archive
// do. The files are sorted, those of one name in the order of the archive.
func (t *Tree) dropDoubles() {
	drop := map[*File]bool{}
	first := ""
	for i, f := range t.Files {
		if i+1 < len(t.Files) && t.Files[i+1].Name == f.Name {
			if drop[f] = true; first == "" {
				first = f.Name
			}
		}
	}
	t.drop(drop)
	switch n := len(drop); {
	case n == 1:
		t.Notes = append(t.Notes, "a name is twice in the archive, and the last of both counts: "+text.Printable(first))
	case n > 1:
		t.Notes = append(t.Notes, fmt.Sprintf("%d files are left out, as later ones have their names: %s", n, text.Printable(first)))
	}
}
