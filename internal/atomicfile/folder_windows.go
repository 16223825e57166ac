package atomicfile

// flush flushes the files: Windows has nothing to flush a folder with.
func flush(folder string, names []string) error { return syncEach(folder, names) }
