package dataset

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/fmimg/fmimg/dataset/decode"
	"github.com/fmimg/fmimg/dataset/tree"
	"github.com/fmimg/fmimg/internal/filekind"
	"github.com/fmimg/fmimg/internal/text"
)

// noPicture returns why a file that begins with head is not read as a picture, nil when it is one.
// It names what the file is, where that is known.
func noPicture(name string, head []byte) error {
	err := decode.Check(head)
	if err == nil || !errors.Is(err, decode.ErrNoPicture) {
		return err
	}
	if what, cure := filekind.OfData(path.Base(name), head); what != "" {
		return fmt.Errorf("%w: %s", decode.ErrNoPicture, strings.TrimSuffix(what+": "+cure, ": "))
	}
	return err
}

// notItself says what a file is that an error names and whose bytes are not its own, such as a web
// page; err where that is not so.
func notItself(files []*tree.File, err error) error {
	for _, f := range files {
		name := path.Base(f.Name)
		if !strings.Contains(err.Error(), name) {
			continue
		}
		head := headOf(f, filekind.HeadSize)
		if len(head) == 0 && f.Size > 0 {
			continue // it cannot be read: that is what the error says
		}
		if what, cure := filekind.NotItself(head); what != "" {
			return fmt.Errorf("%s: %s", text.Printable(name), filekind.Sentence(what, cure))
		}
	}
	return err
}

// headOf returns up to n of the first bytes of a file, fewer where it cannot be read.
func headOf(f *tree.File, n int) []byte {
	r, err := f.Open()
	if err != nil {
		return nil
	}
	defer func() { _ = r.Close() }()
	data, _ := io.ReadAll(io.LimitReader(r, int64(n))) // what came in before an error is a head too
	return data
}

// regularReason takes the operation and the path off an error of the system: the caller names the
// file.
func regularReason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
