package filekind

import (
	"bytes"
	"regexp"
	"unicode/utf8"
)

// pages are what servers answer in place of a file.
var pages = []kind{
	{what: "a web page saved in place of the file", cure: again, is: isPage},
	{what: "an error of a web server saved in place of the file", cure: again, is: isAnswer},
}

// texts are files that a person could read. The last kinds hold whatever the others do not.
var texts = []kind{
	{what: "the index of a model in several files", cure: "name a model of one file", is: text(`^\{[^\x00]*"weight_map"`)},
	{what: "a symbolic link that was copied as text, not the file", cure: "name the file that it leads to, or copy that",
		is: text(`^(\.\.?/)+[^\s]+$`)},
	{what: "an SVG, which is drawn by lines", is: text(`(?is)^(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!doctype svg[^>]*>\s*)?<svg\b`)},
	{what: "text in XML", is: text(`^<\?xml\b`)},
	{what: "text in JSON", is: text(`^[{\[]\s*["{}\[\]\d]`), vague: true},
	{what: "a program in text", is: text(`^#!`)},
	{what: "text", is: isPlain, vague: true},
	{what: "text in UTF-16", data: "save it as UTF-8", is: both(begins("\xff\xfe", "\xfe\xff"), func(head []byte) bool {
		return bytes.Count(head, []byte{0}) >= len(head)/3
	})},
}

// The beginnings of pages, and of what servers answer in place of a file. S3 and its kin answer in
// XML, programs' interfaces in JSON, others in a line.
var (
	page = regexp.MustCompile(`(?is)^(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype html|html|head|body|script|meta|title)\b`)

	answers = []*regexp.Regexp{
		regexp.MustCompile(`(?is)^(<\?xml[^>]*>\s*)?<(\w*Error\w*|ListBucketResult|EnumerationResults|Message)\b`),
		regexp.MustCompile(`(?is)^\{\s*"(error|errors|error_code|message|msg|detail|details|status|status_?code|code|` +
			`reason|title|success)"\s*:`),
		regexp.MustCompile(`(?i)^(error:? *)?([45]\d\d\b|(entry|repository|file|page|object|revision|resource)? ?not found\b|` +
			`access (denied|to)\b|forbidden\b|unauthorized\b|too many requests\b|rate limit|invalid (credentials|username|token)\b|` +
			`bad gateway\b|service unavailable\b|internal server error\b)`),
	}
)

// trimmed returns a text without a byte order mark and space before it.
func trimmed(head []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
}

// isPage reports whether a file is a page in HTML.
func isPage(head []byte) bool { return isPlain(head) && page.Match(trimmed(head)) }

// isAnswer reports whether a file is what a server answers that does not give the file.
func isAnswer(head []byte) bool {
	if !isPlain(head) {
		return false
	}
	for _, answer := range answers {
		if answer.Match(trimmed(head)) {
			return true
		}
	}
	return false
}

// text returns a test for texts that match a pattern.
func text(pattern string) func([]byte) bool {
	re := regexp.MustCompile(pattern)
	return func(head []byte) bool { return isPlain(head) && re.Match(trimmed(head)) }
}

// isPlain reports whether bytes are text in UTF-8, whose last character may be cut off.
func isPlain(head []byte) bool {
	for i := 0; i < len(head); {
		r, size := utf8.DecodeRune(head[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return i > 0 && !utf8.FullRune(head[i:])
		case r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' || r == 0x7f:
			return false
		}
		i += size
	}
	return len(head) > 0
}
