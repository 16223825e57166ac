package dataset

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"errors"

	"github.com/fmimg/fmimg/dataset/array"
	"github.com/fmimg/fmimg/dataset/decode"
	"github.com/fmimg/fmimg/internal/filekind"
)

// noPicture returns why a file that begins with head is not read as a picture, nil when it is one.
// It names what the file is, where that is known.
func noPicture(name string, head []byte) error {
	err := decode.Check(head)
	if err == nil || !errors.Is(err, decode.ErrNoPicture) {
		return err
	}
	if what, cure := array.Unreadable(path.Base(name), head); what != "" {
		return fmt.Errorf("%w: %s: %s", decode.ErrNoPicture, what, cure)
	}
	if what, cure := filekind.Of(head); what != "" {
		return fmt.Errorf("%w: %s", decode.ErrNoPicture, strings.TrimSuffix(what+": "+cure, ": "))
	}
	return err
}

// regularReason takes the operation and the path off an error of the system: the caller names the
// file.
func regularReason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
