package array

import (
	"archive/zip"
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// joinedOf reads all sets among files as one.
func joinedOf(t *testing.T, content map[string][]byte) (*Set, error) {
	t.Helper()
	joined, ok := Join(Find(files(content)))
	if !ok {
		t.Fatal("no sets to be joined")
	}
	return joined.Read(t.Context(), Limits{})
}

// gray builds n images of 5x5 whose numbers are all the same.
func gray(n int, value byte) []byte {
	return npyOf("|u1", "("+string(rune('0'+n))+", 5, 5)", bytes.Repeat([]byte{value}, 25*n))
}

func TestJoin(t *testing.T) {
	picture := func(value byte) []byte { return npyOf("|u1", "(5, 5)", bytes.Repeat([]byte{value}, 25)) }
	share := func(value, label byte) []byte {
		return npzOf(t, zip.Deflate, map[string][]byte{"x": gray(1, value), "y": npyOf("|u1", "(1,)", []byte{label})})
	}
	for _, c := range []struct {
		name    string
		content map[string][]byte
		first   []byte // number of each image to train on
		labels  []int32
		classes []string
		test    int
		note    string
	}{
		{"files are classes", map[string][]byte{"cat.npy": gray(1, 90), "dog.npy": gray(2, 200)},
			[]byte{90, 200, 200}, []int32{0, 1, 1}, []string{"cat", "dog"}, 0, "each file was taken for a class, such as cat"},
		{"words in common", map[string][]byte{"full_numpy_bitmap_The Eiffel Tower.npy": gray(2, 90), "full_numpy_bitmap_ant.npy": gray(1, 200)},
			[]byte{90, 90, 200}, []int32{0, 0, 1}, []string{"The Eiffel Tower", "ant"}, 0, "each file was taken for a class"},
		{"images of classes", map[string][]byte{"cat_images.npy": gray(1, 90), "dog_images.npy": gray(2, 200)},
			[]byte{90, 200, 200}, []int32{0, 1, 1}, []string{"cat", "dog"}, 0, "each file was taken for a class"},
		{"folders are classes", map[string][]byte{"cat/images.npy": gray(1, 90), "dog/images.npy": gray(1, 200)},
			[]byte{90, 200}, []int32{0, 1}, []string{"cat", "dog"}, 0, "each folder was taken for a class, such as cat"},
		{"a picture each", map[string][]byte{"10/a.npy": picture(90), "9/a.npy": picture(7), "9/b.npy": picture(200)},
			[]byte{90, 7, 200}, []int32{1, 0, 0}, []string{"9", "10"}, 0, "each folder was taken for a class, such as 9"},
		{"pictures without classes", map[string][]byte{"7.npy": picture(90), "8.npy": picture(200)},
			[]byte{90, 200}, nil, nil, 0, "each was taken for one picture"},
		{"parts and classes", map[string][]byte{"train/cat/0.npy": picture(90), "train/dog/0.npy": picture(200), "test/dog/1.npy": picture(3)},
			[]byte{90, 200}, []int32{0, 1}, []string{"cat", "dog"}, 1, "each folder was taken for a class"},
		{"shares", map[string][]byte{"x_0.npy": gray(1, 90), "x_1.npy": gray(2, 200)}, []byte{90, 200, 200}, nil, nil, 0,
			"each has a share of the images"},
		{"shares with labels", map[string][]byte{"a.npz": share(90, 1), "b.npz": share(200, 0)}, []byte{90, 200}, []int32{1, 0},
			[]string{"0", "1"}, 0, "each has a share of the images"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := joinedOf(t, c.content)
			if err != nil {
				t.Fatal(err)
			}
			var first []byte
			for i := range set.Train.Len() {
				first = append(first, set.Train.Pixels[25*i])
			}
			if !slices.Equal(first, c.first) || !slices.Equal(set.Train.Labels, c.labels) || !slices.Equal(set.Classes, c.classes) {
				t.Errorf("images %v, labels %v, classes %q", first, set.Train.Labels, set.Classes)
			}
			if (set.Test != nil) != (c.test > 0) || len(set.Files) != len(c.content) {
				t.Errorf("test %v, %d files", set.Test, len(set.Files))
			}
			checkNotes(t, set, c.note)
		})
	}
}

// Archives whose names differ by the part of the set are one set, and their arrays are of the part
// that the name tells.
func TestPartsInNamesOfNPZ(t *testing.T) {
	archive := func(images, labels string, x, y []byte) []byte {
		return npzOf(t, zip.Store, map[string][]byte{images: x, labels: y})
	}
	for _, names := range [][2]string{{"train", "test"}, {"mnist_train", "mnist_test"}, {"X_train", "X_test"}, {"digits-train", "digits-val"},
		{"a/train", "a/validation"}, {"train/train", "test/test"}} {
		for _, arrays := range [][2]string{{"images", "labels"}, {"x", "y"}, {"arr_0", "arr_1"}} {
			set := mustRead(t, map[string][]byte{names[0] + ".npz": archive(arrays[0], arrays[1], two, onto),
				names[1] + ".npz": archive(arrays[0], arrays[1], one, at)})
			if !slices.Equal(set.Train.Labels, []int32{1, 0}) || set.Test == nil || !slices.Equal(set.Test.Labels, []int32{1}) || len(set.Files) != 2 {
				t.Errorf("%q of %q: train %+v, test %+v", names, arrays, set.Train, set.Test)
			}
		}
	}
	set := mustRead(t, map[string][]byte{"train.npz": archive("x", "y", two, onto), "test.npz": archive("x", "y", one, at),
		"val.npz": archive("x", "y", one, at)})
	checkNotes(t, set, "val.npz: x was left out: the set has other images to train and to test on")
	set = mustRead(t, map[string][]byte{"train.npz": npzOf(t, zip.Store, map[string][]byte{"x_train": two, "x_test": one}),
		"test.npz": archive("x", "y", one, at)})
	checkNotes(t, set, "train.npz: x_test was left out: the set has other test images")
	// Each class has a file of each part.
	set, err := joinedOf(t, map[string][]byte{"cat/train.npz": npzOf(t, zip.Store, map[string][]byte{"x": gray(2, 90)}),
		"cat/test.npz":  npzOf(t, zip.Store, map[string][]byte{"x": gray(1, 9)}),
		"dog/train.npz": npzOf(t, zip.Store, map[string][]byte{"x": gray(1, 80)})})
	if err != nil || !slices.Equal(set.Train.Labels, []int32{0, 0, 1}) || !slices.Equal(set.Test.Labels, []int32{0}) {
		t.Errorf("%v: train %+v, test %+v", err, set.Train, set.Test)
	}
}

func TestJoinPartsInFolders(t *testing.T) {
	set := mustRead(t, map[string][]byte{"data/train/x.npy": gray(2, 90), "data/train/y.npy": onto, "data/test/x.npy": gray(1, 3),
		"data/test/y.npy": at})
	if set.Train.Len() != 2 || set.Test.Len() != 1 || len(set.Classes) != 2 {
		t.Errorf("train %v, test %v, classes %q", set.Train, set.Test, set.Classes)
	}
}

func TestApart(t *testing.T) {
	for words, content := range map[string]map[string][]byte{
		"dimensions [1 5 5] of a.npy, [2 2 2] of b.npy":  {"a.npy": gray(1, 9), "b.npy": two},
		"|u1 in a.npy, <f4 in b.npy":                     {"a.npy": gray(1, 9), "b.npy": npyOf("<f4", "(1, 5, 5)", make([]float32, 25))},
		"some lie in sub-folders":                        {"a.npy": gray(1, 9), "c/b.npy": gray(1, 9)},
		"their names are not those of classes":           {"images.npy": gray(2, 9), "masks.npy": gray(2, 9)},
		"1 of 2 have labels":                             {"a/x.npy": gray(1, 9), "a/y.npy": at, "b/x.npy": gray(1, 9)},
		"is in Fortran's order":                          {"a.npy": gray(1, 9), "b.npy": npyFile("|u1", "True", "(1, 5, 5)", make([]byte, 25))},
		"b.npy: it does not begin as a NumPy array does": {"a.npy": gray(1, 9), "b.npy": []byte("x")},
	} {
		_, err := joinedOf(t, content)
		if refused(t, err, words); !errors.Is(err, ErrApart) {
			t.Errorf("%v is not ErrApart", err)
		}
	}
	if _, ok := Join(Find(files(map[string][]byte{"x.npy": two, trainImages: images(1)}))); ok {
		t.Error("IDX files were joined with others")
	}
	// A file that is too long or too short shifts no other.
	short := gray(2, 9)
	_, err := joinedOf(t, map[string][]byte{"a.npy": append(gray(1, 9), 0), "b.npy": short})
	refused(t, err, "a.npy: bytes follow the 25")
	_, err = joinedOf(t, map[string][]byte{"a.npy.gz": gz(t, short[:len(short)-1]), "b.npy": short})
	refused(t, err, "a.npy.gz: after 49 of 50 numbers")
}

func TestNamesInNPZ(t *testing.T) {
	names := npyOf("|S3", "(2,)", []byte("catdog"))
	for _, name := range []string{"classes", "class_names", "label_names", "names"} {
		set := mustRead(t, map[string][]byte{"p.npz": npzOf(t, zip.Store, map[string][]byte{"x": two, "y": onto, name: names})})
		if strings.Join(set.Classes, " ") != "cat dog" {
			t.Errorf("%s: classes %q", name, set.Classes)
		}
		checkNotes(t, set, "")
	}
	set := mustRead(t, map[string][]byte{"p.npz": npzOf(t, zip.Store, map[string][]byte{"x": two, "y": onto, "weights": onto})})
	checkNotes(t, set, "p.npz: not read: weights")
}
