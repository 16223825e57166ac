package tree

import (
	"errors"
	"io"
	"io/fs"
	"slices"

	"github.com/fmimg/fmimg/internal/text"
)

// The reasons for which a file cannot be used. An error that wraps one of them has the details.
var (
	ErrRead      = errors.New("cannot be read")
	ErrTrick     = errors.New("path that leaves the archive")
	ErrNoFile    = errors.New("no file, or a link that leads nowhere")
	ErrEncrypted = errors.New("encrypted")
	ErrMethod    = errors.New("packed in a way that cannot be read")
)

// A File is one of the files of a folder or an archive.
type File struct {
	Name string // its path inside, with slashes
	Size int64  // in bytes, as the folder or archive claims
	Err  error  // why it cannot be used, as far as that is known without opening it

	from opener
	at   int // what the opener finds it by
}

// An opener opens the files of one tree.
type opener interface {
	open(f *File) (io.ReadCloser, error)
}

// New makes a file that a function opens.
func New(name string, size int64, open func() (io.ReadCloser, error)) *File {
	return &File{Name: name, Size: size, from: function(open)}
}

// A function opens one file.
type function func() (io.ReadCloser, error)

func (f function) open(*File) (io.ReadCloser, error) { return f() }

// Open opens the file for reading. The result may also be an [io.ReaderAt]. Errors do not name the
// file.
func (f *File) Open() (io.ReadCloser, error) {
	if f.Err != nil {
		return nil, f.Err
	}
	r, err := f.from.open(f)
	if err != nil {
		return nil, withoutPath(err)
	}
	return r, nil
}

// withoutPath takes the operation and the path off an error of the system.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// A Tree is what a folder or an archive holds.
type Tree struct {
	Kind  string   // "folder", "zip" or "tar"
	Files []*File  // by name, numbers as numbers
	Notes []string // one line each: what was left out or guessed
	Empty []string // folders without a file that can be listed

	// walk is nil where files are opened one by one.
	walk  func(do func(i int, content io.Reader) error) error
	close func() error
}

// Close closes the archive. The files must not be used after that.
func (t *Tree) Close() error {
	if t.close == nil {
		return nil
	}
	return t.close()
}

// sort brings the files into the order of their names.
func (t *Tree) sort() {
	slices.SortStableFunc(t.Files, func(a, b *File) int { return text.CompareNatural(a.Name, b.Name) })
}

// Sequence makes a tree of files that one function hands out one after the other, as a table of
// pictures does. The files cannot be opened one by one.
func Sequence(kind string, files []*File, walk func(do func(i int, content io.Reader) error) error) *Tree {
	return &Tree{Kind: kind, Files: files, walk: walk}
}
