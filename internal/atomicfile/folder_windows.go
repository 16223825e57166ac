package atomicfile

func (f *Folder) flush() error { return f.syncEach() }
