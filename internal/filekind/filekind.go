package filekind

import (
	"bytes"
	"io"
	"os"
)

// HeadSize is the number of first bytes of a file that tell all kinds apart.
const HeadSize = 1024

// Safetensors is what [Of] says of a file of that format.
const Safetensors = "a file of tensors (safetensors)"

// A kind is one of the things that a file may be.
type kind struct {
	what, cure string
	is         func(head []byte) bool
}

// Of tells what a file is by its first bytes, of which it looks at [HeadSize]. what follows "it
// is", such as "a web page saved in place of the file". cure is what to do, such as "download it
// again", and empty where that depends on what the file should be. Both are empty for a kind that
// is not known. A head of no bytes means an empty file.
func Of(head []byte) (what, cure string) {
	head = head[:min(len(head), HeadSize)]
	for _, list := range [][]kind{broken, pointers, models, archives, documents, pictures, texts} {
		for _, k := range list {
			if k.is(head) {
				return k.what, k.cure
			}
		}
	}
	return "", ""
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
