//go:build !linux && !windows

package atomicfile

import "errors"

func (f *Folder) flush() error { return errors.Join(f.syncEach(), syncFolder(f.Path)) }
