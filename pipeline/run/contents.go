package run

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/text"
)

// ContentsFile lists the files that the data of a run was read from. Each line has the CRC-32 of a
// file in hexadecimal digits, a space, and its name as a Go string. The list tells which file
// differs when the data has changed.
const ContentsFile = "data.txt.gz"

// saveContents writes the list once.
func (d *Folder) saveContents(contents []dataset.Content) error {
	if contents == nil || d.has(ContentsFile) {
		return nil
	}
	return d.write(ContentsFile, func(w io.Writer) error {
		z := gzip.NewWriter(w)
		b := bufio.NewWriter(z)
		for _, c := range contents {
			if _, err := fmt.Fprintf(b, "%08x %q\n", c.Sum, c.Name); err != nil {
				return err
			}
		}
		return errors.Join(b.Flush(), z.Close())
	})
}

// Contents reads the list. It is nil for a run that has none.
func (d *Folder) Contents() []dataset.Content {
	file, err := os.Open(d.File(ContentsFile))
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	z, err := gzip.NewReader(file)
	if err != nil {
		return nil
	}
	var list []dataset.Content
	for lines := bufio.NewScanner(z); lines.Scan(); {
		sum, quoted, _ := strings.Cut(lines.Text(), " ")
		crc, err1 := strconv.ParseUint(sum, 16, 32)
		name, err2 := strconv.Unquote(quoted)
		if err1 != nil || err2 != nil {
			return nil
		}
		list = append(list, dataset.Content{Name: name, Sum: uint32(crc)})
	}
	return list
}

// Changes says which files of data differ from what they were, such as "a/1.png is gone, b/2.png is
// new". It names the first file of each kind, and is empty where none differs.
func Changes(had, has []dataset.Content) string {
	now := make(map[string]uint32, len(has))
	for _, c := range has {
		now[c.Name] = c.Sum
	}
	var gone, other, added []string
	before := make(map[string]bool, len(had))
	for _, c := range had {
		before[c.Name] = true
		if sum, ok := now[c.Name]; !ok {
			gone = append(gone, c.Name)
		} else if sum != c.Sum {
			other = append(other, c.Name)
		}
	}
	for _, c := range has {
		if !before[c.Name] {
			added = append(added, c.Name)
		}
	}
	var parts []string
	for _, kind := range []struct {
		names     []string
		one, many string
	}{{gone, "is gone", "are gone"}, {other, "has other content", "have other content"}, {added, "is new", "are new"}} {
		if n := len(kind.names); n == 1 {
			parts = append(parts, text.Printable(kind.names[0])+" "+kind.one)
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%s and %s %s", text.Printable(kind.names[0]),
				text.Count(n-1, "other file", "other files"), kind.many))
		}
	}
	return strings.Join(parts, ", ")
}
