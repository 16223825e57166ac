package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"strings"
)

// ErrSplit means that a file is one of the parts of an archive.
var ErrSplit = errors.New("it is a part of an archive that was split: join the parts first, with 7-Zip or zip -s 0, " +
	"and those called .001, .002, … with cat")

// isPart reports whether the name of a file is that of a part: a.zip.001, a.z01.
func isPart(name string) bool {
	ending := strings.TrimPrefix(strings.ToLower(path.Ext(name)), ".")
	digits := strings.TrimLeft(ending, "z")
	numbered := digits != "" && strings.Trim(digits, "0123456789") == ""
	if len(ending) == 3 && ending[0] == 'z' && len(digits) == 2 {
		return numbered
	}
	whole := strings.ToLower(strings.TrimSuffix(name, path.Ext(name)))
	return numbered && len(ending) == 3 && len(digits) == 3 && hasArchiveEnding(whole)
}

func hasArchiveEnding(lower string) bool {
	for _, ending := range []string{".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".zst", ".bz2", ".xz"} {
		if strings.HasSuffix(lower, ending) {
			return true
		}
	}
	return false
}

// zipEnd looks for the end of a zip, whose beginning is not that of one: it has a program before
// it, or is the last part of several (APPNOTE.TXT 6.3.10, section 4.3.16).
func zipEnd(r io.ReaderAt, size int64) (found, isPart bool) {
	const longest = 1<<16 + 22
	tail := make([]byte, min(size, longest))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return false, false
	}
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if at < 0 {
		return false, false
	}
	end := tail[at:]
	if len(end) < 22 {
		return false, false
	}
	// The directory lies before its end, and the files before the directory.
	directory := uint64(binary.LittleEndian.Uint32(end[12:])) + uint64(binary.LittleEndian.Uint32(end[16:]))
	before := uint64(size) - uint64(len(tail)-at)
	return true, binary.LittleEndian.Uint16(end[4:]) > 0 || directory > before && directory < 1<<32-1
}
