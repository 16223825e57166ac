package main

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
)

// Types of files in an initial RAM disk, as in stat(2).
const (
	typeFolder = 0o040000
	typeFile   = 0o100000
	typeDevice = 0o020000 // of characters
)

// ramDisk packs files, by path without a leading slash, and the folders that they need, as Linux
// unpacks them before it starts /init: a cpio archive in the format "newc". All files can be
// executed. The archive has the device /dev/console too, which init prints to.
func ramDisk(files map[string][]byte) []byte {
	var b bytes.Buffer
	folders := map[string]bool{"dev": true}
	for name := range files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	// A folder sorts before what it holds.
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		entry{name: name, mode: typeFolder | 0o755}.write(&b)
	}
	entry{name: "dev/console", mode: typeDevice | 0o600, major: 5, minor: 1}.write(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		entry{name: name, mode: typeFile | 0o755, data: files[name]}.write(&b)
	}
	entry{name: "TRAILER!!!"}.write(&b)
	return b.Bytes()
}

// An entry is a file, a folder or a device of a cpio archive.
type entry struct {
	name         string
	mode         int
	major, minor int // of a device
	data         []byte
}

func (e entry) write(b *bytes.Buffer) {
	b.WriteString("070701") // newc
	for _, field := range [...]int{
		0, // inode: files without links need none
		e.mode,
		0, 0, // user, group
		1, // links
		0, // time
		len(e.data),
		0, 0, // device that holds the file
		e.major, e.minor,
		len(e.name) + 1,
		0, // check sum: none in this format
	} {
		fmt.Fprintf(b, "%08x", field)
	}
	b.WriteString(e.name)
	b.WriteByte(0)
	pad(b)
	b.Write(e.data)
	pad(b)
}

// pad fills up to a multiple of 4 bytes.
func pad(b *bytes.Buffer) { b.Write(make([]byte, -b.Len()&3)) }
