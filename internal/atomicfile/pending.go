package atomicfile

import "io"

// A pending file lies beside its path. On commit it takes the place of the file at the path.
type pending interface {
	io.Writer
	commit() error  // flush to the disk, close, replace, flush the folder
	discard() error // close and remove; does nothing after a successful commit
}
