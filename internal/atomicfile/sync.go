package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
)

// syncEach flushes files of a folder, one after the other.
func syncEach(folder string, names []string) error {
	for _, name := range names {
		file, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		err = file.Sync()
		if unsupported(err) {
			err = nil
		}
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}
