//go:build !linux && !windows

package atomicfile

import "errors"

// flush flushes the files and the folder.
func flush(folder string, names []string) error {
	return errors.Join(syncEach(folder, names), syncFolder(folder))
}
