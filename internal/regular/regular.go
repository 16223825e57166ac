// Package regular opens regular files, tells what else a path may be, and words the errors of
// files.
package regular

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ErrNoFile means that there is something else at a path: a folder, a pipe, a device.
var ErrNoFile = errors.New("it is no file")

// ErrFolder is the [ErrNoFile] of a folder.
var ErrFolder error = &kindError{"it is a folder", ErrNoFile}

// ErrURL means that a path is an address in the web, or of another storage that is not a file
// system.
var ErrURL = errors.New("nothing is fetched from the web: download it and name the file")

// errFileURL is the error of the address of a file on this machine.
var errFileURL error = &kindError{"it is an address: write the path alone, without file://", ErrURL}

// A kindError is an error with a text of its own that is of the kind of another error.
type kindError struct {
	text string
	kind error
}

// Error returns the text.
func (e *kindError) Error() string { return e.text }

// Unwrap returns the error of the kind.
func (e *kindError) Unwrap() error { return e.kind }

// url matches addresses, which people also write as browsers show them. A scheme of one letter
// would be a drive of Windows.
var url = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]+://|(?i)(www\.|huggingface\.co/|github\.com/))`)

// Check returns nil for a file. For anything else the error says what is at the path: [ErrFolder],
// [ErrNoFile], [ErrURL], or what the system says.
func Check(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil && isURL(path) != nil:
		return isURL(path)
	case err != nil:
		return Reason(err)
	case info.IsDir():
		return ErrFolder
	case !info.Mode().IsRegular():
		return ErrNoFile
	}
	return nil
}

// CheckURL returns nil for the path of something that is there, and for a path that is not an
// address. Else the error, an [ErrURL], says what to name in place of the address.
func CheckURL(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return isURL(path)
}

// isURL returns the error of an address, nil for a path.
func isURL(path string) error {
	switch scheme := strings.ToLower(url.FindString(path)); scheme {
	case "":
		return nil
	case "file://":
		return errFileURL
	}
	return ErrURL
}

// Open opens a file for reading. For anything else its error wraps that of [Check]: to open a pipe
// would block until a program writes to it.
func Open(path string) (*os.File, error) {
	if err := Check(path); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.Open(path)
}

// Same reports whether two paths lead to the same file, which must exist.
func Same(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// Within reports whether a path lies in a folder, at any depth. The path need not exist.
func Within(path, folder string) bool {
	path, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	if place, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(place, filepath.Base(path))
	}
	for {
		above := filepath.Dir(path)
		if above == path {
			return false
		}
		if Same(above, folder) {
			return true
		}
		path = above
	}
}

// Reason returns an error without the path that it names, which may be a temporary one.
func Reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
