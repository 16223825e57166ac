package atomicfile

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// flush flushes the whole file system. It waits once, and not once for each file.
func flush(folder string, names []string) error {
	open, err := os.Open(folder)
	if err != nil {
		return errors.Join(syncEach(folder, names), syncFolder(folder))
	}
	err = unix.Syncfs(int(open.Fd()))
	if unsupported(err) || errors.Is(err, fs.ErrPermission) { // as a container may forbid it
		err = errors.Join(syncEach(folder, names), syncFolder(folder))
	}
	return errors.Join(err, open.Close())
}
