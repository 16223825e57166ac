package tree_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/fmimg/fmimg/dataset/tree"
)

// A file opens as often as it is asked to, and not at all when it cannot be used.
func TestFile(t *testing.T) {
	opened := 0
	f := tree.New("a/b.npy", 3, func() (io.ReadCloser, error) {
		opened++
		return io.NopCloser(bytes.NewReader([]byte("abc"))), nil
	})
	for range 2 {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); string(got) != "abc" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
	}
	f.Err = errors.New("a link in a circle")
	if _, err := f.Open(); !errors.Is(err, f.Err) || opened != 2 {
		t.Errorf("opened %d times, %v", opened, err)
	}
}
