package tree

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/fmimg/fmimg/internal/text"
)

// decoded returns a name in UTF-8. A name that is not in UTF-8 is read as the code page, which has
// a letter for each byte.
func decoded(name string, page *charmap.Charmap) (utf string, ok bool) {
	if utf8.ValidString(name) {
		return name, true
	}
	var b strings.Builder
	for _, c := range []byte(name) {
		b.WriteRune(page.DecodeByte(c))
	}
	return b.String(), false
}

// FromWindows1252 reads text that is not in UTF-8 as the code page of Windows in western countries.
func FromWindows1252(text []byte) []byte {
	utf, _ := decoded(string(text), charmap.Windows1252)
	return []byte(utf)
}

// clean returns the path of an archive's file with slashes, without "." and empty elements, and
// without a root or drive. ok is false for a path that leaves the archive.
func clean(name string) (cleaned string, ok bool) {
	name = strings.ReplaceAll(name, `\`, "/") // some programs on Windows write so
	if len(name) > 2 && name[1] == ':' && name[2] == '/' {
		name = name[2:]
	}
	cleaned = path.Clean(strings.TrimLeft(name, "/"))
	return cleaned, !strings.Contains("/"+name+"/", "/../")
}

// encodingNote returns the note on names that are not in UTF-8, "" when there are none.
func encodingNote(count int, first string, page *charmap.Charmap) string {
	if count == 0 {
		return ""
	}
	names := "a name is"
	if count > 1 {
		names = strconv.Itoa(count) + " names are"
	}
	return names + " not in UTF-8, and read as " + page.String() + ": " + text.Printable(first)
}
