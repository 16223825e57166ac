package text

import "bytes"

// UnixLines makes line feeds, in place, of the carriage returns that end lines alone, as programs
// of the old Mac wrote them. A text where most lines end in another way stays as it is.
func UnixLines(data []byte) {
	if !MacLines(data) {
		return
	}
	for i, c := range data {
		if c == '\r' && (i+1 == len(data) || data[i+1] != '\n') {
			data[i] = '\n'
		}
	}
}

// MacLines reports whether most lines of a text end in a carriage return alone.
func MacLines(data []byte) bool {
	alone := bytes.Count(data, []byte("\r")) - bytes.Count(data, []byte("\r\n"))
	return alone > bytes.Count(data, []byte("\n"))
}
