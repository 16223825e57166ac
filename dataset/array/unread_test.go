package array

import (
	"strings"
	"testing"
)

func TestUnreadable(t *testing.T) {
	for name, want := range map[string]string{
		"a/b.h5": "HDF5", "x.HDF5": "HDF5", "train_32x32.mat": "MATLAB", "a.tfrecord": "TensorFlow", "lsun/data.mdb": "LMDB",
		"w.pt": "PyTorch", "data-00000-of-00001.arrow": "Arrow", "x.pkl": "pickle", "a.tar.zst": "Zstandard",
		"a.png": "", "a.npz": "", "._a.h5": "", "notes.txt": "",
	} {
		what, cure := Unreadable(name, nil)
		if !strings.Contains(what, want) || want == "" && what != "" || (what == "") != (cure == "") {
			t.Errorf("%s: %q, %q", name, what, cure)
		}
	}
	for head, want := range map[string]string{
		"\x89HDF\r\n\x1a\n": "HDF5", "MATLAB 5.0 MAT-file, Platform": "MATLAB", "ARROW1\x00\x00": "Arrow", "\xfd7zXZ\x00": "xz",
	} {
		if what, _ := Unreadable("dataset", []byte(head)); !strings.Contains(what, want) {
			t.Errorf("%q: %q", head, what)
		}
	}
}
