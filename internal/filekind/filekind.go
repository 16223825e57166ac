package filekind

import (
	"bytes"
	"cmp"
	"io"
	"os"
	"regexp"
	"strings"
)

// HeadSize is the number of first bytes of a file that tell all kinds apart.
const HeadSize = 1024

// What [Of] says of files that their readers are given too.
const (
	Safetensors = "a file of tensors (safetensors)"
	Torch       = "a file of PyTorch's torch.save"
	Zip         = "a zip"
)

// A kind is one of the things that a file may be.
type kind struct {
	what, cure string
	is         func(head []byte) bool
	data       string   // the cure where images are needed; empty: cure
	ends       []string // of names, in lower case, that tell the kind where the first bytes do not
	read       []string // the endings of names by which the kind is read where images are needed
	vague      bool     // the name may tell more
}

// Of tells what a file is by its first bytes, of which it looks at [HeadSize]. what follows "it
// is", such as "a web page saved in place of the file". cure is what to do, such as "download it
// again", and empty where that depends on what the file should be. Both are empty for a kind that
// is not known. A head of no bytes means an empty file.
func Of(head []byte) (what, cure string) {
	if k := find(head); k != nil {
		return k.what, k.cure
	}
	return "", ""
}

// OfData is [Of] for a file that was taken for images. Its name may tell what it is too, and the
// cure leads to files of images.
func OfData(name string, head []byte) (what, cure string) {
	k := find(head)
	if k == nil || k.vague {
		if named := findNamed(name); named != nil {
			k = named
		}
	}
	if k == nil {
		return "", ""
	}
	if len(k.read) == 0 {
		return k.what, cmp.Or(k.data, k.cure)
	}
	lower := strings.ToLower(name)
	for _, end := range k.read {
		if strings.HasSuffix(lower, end) {
			return k.what, "" // it is left out for another reason
		}
	}
	return k.what, "give its name the ending " + k.read[0]
}

// NotItself tells what a file is whose bytes are not those of the file that it should be: nothing,
// a pointer, a web page. Both results are empty for other files.
func NotItself(head []byte) (what, cure string) {
	k := find(head)
	for _, list := range [][]kind{broken, pointers, pages} {
		for i := range list {
			if k == &list[i] {
				return k.what, k.cure
			}
		}
	}
	return "", ""
}

// kinds are all lists, in the order in which they are looked through.
var kinds = [][]kind{broken, pointers, models, archives, documents, pictures, pages, texts}

// find returns the kind of a file by its first bytes, nil where it is not known.
func find(head []byte) *kind {
	head = head[:min(len(head), HeadSize)]
	for _, list := range kinds {
		for i := range list {
			if list[i].is(head) {
				return &list[i]
			}
		}
	}
	return nil
}

// part is what follows the ending of a file that is one of several: -00000-of-00001.
var part = regexp.MustCompile(`-\d+-of-\d+$`)

// findNamed returns the kind that the ending of a name tells, nil where it tells none.
func findNamed(name string) *kind {
	lower := part.ReplaceAllString(strings.ToLower(name), "")
	for _, end := range []string{".gz", ".bz2", ".xz", ".zst"} {
		lower = strings.TrimSuffix(lower, end)
	}
	for _, list := range kinds {
		for i := range list {
			for _, end := range list[i].ends {
				if strings.HasSuffix(lower, end) && len(lower) > len(end) {
					return &list[i]
				}
			}
		}
	}
	return nil
}

// OfFile is [Of] for the file at a path. Both results are empty where it cannot be read.
func OfFile(path string) (what, cure string) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return "", ""
	}
	file, err := os.Open(path)
	if err != nil {
		return "", ""
	}
	defer file.Close()
	head, err := io.ReadAll(io.LimitReader(file, HeadSize))
	if err != nil {
		return "", ""
	}
	return Of(head)
}

// Sentence joins what [Of] returns: "it is WHAT: CURE". It is empty for an empty what.
func Sentence(what, cure string) string {
	switch {
	case what == "":
		return ""
	case cure == "":
		return "it is " + what
	}
	return "it is " + what + ": " + cure
}

// begins returns a test for files that begin with one of some texts.
func begins(texts ...string) func([]byte) bool {
	return func(head []byte) bool {
		for _, text := range texts {
			if bytes.HasPrefix(head, []byte(text)) {
				return true
			}
		}
		return false
	}
}

// holds returns a test for files that have one of some texts at an offset.
func holds(offset int, texts ...string) func([]byte) bool {
	at := begins(texts...)
	return func(head []byte) bool { return len(head) >= offset && at(head[offset:]) }
}

// both returns a test for files that pass two.
func both(a, b func([]byte) bool) func([]byte) bool {
	return func(head []byte) bool { return a(head) && b(head) }
}
