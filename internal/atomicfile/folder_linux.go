package atomicfile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// flush writes the whole file system out, which costs one wait rather than one for each file.
func (f *Folder) flush() error {
	folder, err := os.Open(f.Path)
	if err != nil {
		return errors.Join(f.syncEach(), syncFolder(f.Path))
	}
	return errors.Join(unix.Syncfs(int(folder.Fd())), folder.Close())
}
