package atomicfile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// flush flushes the whole file system. It waits once, and not once for each file.
func (f *Folder) flush() error {
	folder, err := os.Open(f.Path)
	if err != nil {
		return errors.Join(f.syncEach(), syncFolder(f.Path))
	}
	return errors.Join(unix.Syncfs(int(folder.Fd())), folder.Close())
}
