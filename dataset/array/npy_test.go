package array

import (
	"archive/zip"
	"bytes"
	"slices"
	"strings"
	"testing"
)

// What NumPy wrote is read as it was saved.
func TestGoldenArrays(t *testing.T) {
	ramp := count(120)
	var sixteen, odd []byte
	for _, b := range ramp { // 16 times as much, in 12 bits
		sixteen = append(sixteen, scale{0, 4095}.toByte(16*float64(b)))
		odd = append(odd, 255*(b%2))
	}
	for name, want := range map[string][]byte{
		"half-fortran.npy": ramp, "big-endian.npy": sixteen, "channels-first.npy": ramp, "bool.npy": odd,
		"stored.npz": ramp, "packed.npz": ramp,
	} {
		t.Run(name, func(t *testing.T) {
			set := mustRead(t, map[string][]byte{name: testdata(t, name)})
			m := set.Train
			if m.Height != 4 || m.Width != 5 || m.Channels != 3 || !bytes.Equal(m.Pixels, want) {
				t.Errorf("%d images of %dx%dx%d: %v", m.Len(), m.Height, m.Width, m.Channels, m.Pixels[:12])
			}
		})
	}
	set := mustRead(t, map[string][]byte{"stored.npz": testdata(t, "stored.npz")})
	if !slices.Equal(set.Classes, []string{"cat", "dog"}) || !slices.Equal(set.Train.Labels, []int32{1, 0}) {
		t.Errorf("classes %q, labels %v", set.Classes, set.Train.Labels)
	}
	set = mustRead(t, map[string][]byte{"packed.npz": testdata(t, "packed.npz")})
	if !slices.Equal(set.Train.Labels, []int32{1, 0}) || set.Test == nil || !slices.Equal(set.Test.Labels, []int32{1}) {
		t.Errorf("labels %v, test %v", set.Train.Labels, set.Test)
	}
}

// two is an array of two images, onto is labels.
var (
	two  = npyOf("|u1", "(2, 2, 2)", []byte{9, 99, 7, 77, 5, 55, 3, 200})
	onto = npyOf("<i8", "(2,)", []int64{1, 0})
	one  = npyOf("|u1", "(1, 2, 2)", []byte{9, 99, 7, 200})
	at   = npyOf("<i8", "(1,)", []int64{1})
)

// TestArraysOfAFolder has the names by which images and labels find each other.
func TestArraysOfAFolder(t *testing.T) {
	for _, names := range [][4]string{
		{"x_train", "y_train", "x_test", "y_test"},
		{"X_train", "Y_train", "X_test", "Y_test"},
		{"xtrain", "ytrain", "xtest", "ytest"},
		{"trainX", "trainY", "testX", "testY"},
		{"XTrain", "yTrain", "XTest", "yTest"},
		{"train_images", "train_labels", "test_images", "test_labels"},
		{"train-data", "train-targets", "val-data", "val-targets"},
		{"digits_images", "digits_labels", "digits_test_images", "digits_test_labels"},
		{"X", "y", "", ""},
		{"images", "labels", "", ""},
		{"digits", "labels", "", ""},
		{"faces", "faces_labels", "", ""},
		{"Xtr", "Ytr", "Xte", "Yte"},
		{"train", "train_labels", "test", "test_labels"},
	} {
		t.Run(names[0], func(t *testing.T) {
			content := map[string][]byte{"a/" + names[0] + ".npy": two, "a/" + names[1] + ".npy": onto}
			if names[2] != "" {
				content["a/"+names[2]+".npy"], content["a/"+names[3]+".npy"] = one, at
			}
			set := mustRead(t, content)
			if !slices.Equal(set.Train.Labels, []int32{1, 0}) || len(set.Files) != len(content) {
				t.Errorf("labels %v, %d files, notes %q", set.Train.Labels, len(set.Files), set.Notes)
			}
			if (set.Test != nil) != (names[2] != "") || set.Test != nil && !slices.Equal(set.Test.Labels, []int32{1}) {
				t.Errorf("test %+v", set.Test)
			}
		})
	}
	found := Find(files(map[string][]byte{"a/cat.npy": two, "a/dog.npy": one, "b/x.npy": two, "b/labels.txt": nil, "c/y.npy": onto}))
	if len(found) != 3 {
		t.Errorf("%d sets, want 3", len(found))
	}
}

func TestNPYRefused(t *testing.T) {
	for words, file := range map[string][]byte{
		"does not begin as a NumPy array does": []byte("hello, this is not an array"),
		"header: unexpected EOF":               two[:20],
		"claim":                                two[:len(two)-1],
		"bytes follow the 8":                   append(slices.Clone(two), 0),
		"are Python objects":                   npyOf("|O", "(1, 2, 2)", count(4)),
		"are complex numbers":                  npyOf("<c8", "(1, 2, 2)", count(32)),
		"are texts, not numbers":               npyOf("<U1", "(1, 1, 2)", count(8)),
		"have type <M8[ns]":                    npyOf("<M8[ns]", "(1, 2, 2)", count(32)),
		"claims more than":                     npyOf("|u1", "(4294967295, 4294967295, 4294967295)", count(4)),
		"at most 4096 can be read":             append([]byte("\x93NUMPY\x02\x00\xff\xff\xff\x7f"), "{}"...),
		"are not those of images":              npyOf("|u1", "()", count(1)),
	} {
		_, err := readOne(t, map[string][]byte{"a.npy": file})
		refused(t, err, words)
		refused(t, err, "a.npy: ")
	}
	if _, err := readOne(t, map[string][]byte{"a.npy.gz": gz(t, two)}); err != nil {
		t.Errorf("compressed: %v", err)
	}
}

func TestNPZ(t *testing.T) {
	val := npyOf("|u1", "(1, 2, 2)", []byte{1, 2, 3, 4})
	for _, c := range []struct {
		name   string
		arrays map[string][]byte
		test   bool
		note   string
	}{
		{"MedMNIST", map[string][]byte{"train_images": two, "train_labels": onto, "val_images": val, "val_labels": at,
			"test_images": one, "test_labels": at}, true, "val_images was left out"},
		{"Keras", map[string][]byte{"x_train": two, "y_train": onto, "x_test": one, "y_test": at}, true, ""},
		{"images", map[string][]byte{"images": two, "labels": onto}, false, ""},
		{"sklearn", map[string][]byte{"data": two, "target": onto, "feature_names": npyOf("|O", "(1,)", count(1))}, false, ""},
		{"validation alone", map[string][]byte{"train_images": two, "train_labels": onto, "val_images": val, "val_labels": at},
			true, "the validation images were taken for test images"},
		{"positions", map[string][]byte{"arr_0": two, "arr_1": onto}, false, "arr_0 was taken for the training images, and arr_1"},
		{"four positions", map[string][]byte{"arr_0": two, "arr_1": onto, "arr_2": one, "arr_3": at}, true, "arr_2 was taken for the test"},
		{"parts alone", map[string][]byte{"test": one, "test_labels": at, "train": two, "train_labels": onto}, true, ""},
		{"unknown", map[string][]byte{"foo": two, "bar": onto}, false, "foo was taken for the training images"},
	} {
		for _, method := range []uint16{zip.Store, zip.Deflate} {
			set := mustRead(t, map[string][]byte{"p.npz": npzOf(t, method, c.arrays)})
			if !slices.Equal(set.Train.Labels, []int32{1, 0}) || (set.Test != nil) != c.test || len(set.Classes) != 2 {
				t.Errorf("%s: train %+v, test %+v, classes %q", c.name, set.Train, set.Test, set.Classes)
			}
			checkNotes(t, set, c.note)
		}
	}
}

// Kuzushiji-MNIST has an archive for each array.
func TestNPZInPairs(t *testing.T) {
	archive := func(array []byte) []byte { return npzOf(t, zip.Deflate, map[string][]byte{"arr_0": array}) }
	set := mustRead(t, map[string][]byte{
		"kmnist-train-imgs.npz": archive(two), "kmnist-train-labels.npz": archive(onto),
		"kmnist-test-imgs.npz": archive(one), "kmnist-test-labels.npz": archive(at),
		"kmnist_classmap.csv": []byte("index,codepoint,char\n0,U+304A,お\n1,U+304D,き\n")})
	if !slices.Equal(set.Classes, []string{"お", "き"}) || set.Test.Len() != 1 {
		t.Errorf("classes %q, test %+v", set.Classes, set.Test)
	}
	checkNotes(t, set, "")
}

// A name that has a word of labels does not make labels of what holds images.
func TestImagesCalledLabels(t *testing.T) {
	both := npzOf(t, zip.Store, map[string][]byte{"images": two, "labels": onto})
	for _, name := range []string{"labels", "y", "class", "classes", "target", "cats_y"} {
		set := mustRead(t, map[string][]byte{name + ".npz": both})
		if !slices.Equal(set.Train.Labels, []int32{1, 0}) {
			t.Errorf("%s.npz: labels %v", name, set.Train.Labels)
		}
		set = mustRead(t, map[string][]byte{name + ".npz": npzOf(t, zip.Store, map[string][]byte{name: two})})
		checkNotes(t, set, name+" was taken for the training images")
		set = mustRead(t, map[string][]byte{name + ".npy": two})
		if set.Train.Len() != 2 || set.Train.Labels != nil {
			t.Errorf("%s.npy: %+v", name, set.Train)
		}
	}
	set := mustRead(t, map[string][]byte{"X_train.npz": both, "y_train.npz": npzOf(t, zip.Store, map[string][]byte{"arr_0": onto})})
	if !slices.Equal(set.Train.Labels, []int32{1, 0}) {
		t.Errorf("labels %v", set.Train.Labels)
	}
	checkNotes(t, set, "y_train.npz was left out: it holds no images")
	set = mustRead(t, map[string][]byte{"labels.npy": two, "x_train.npy": two})
	checkNotes(t, set, "labels.npy was left out: its name says that it holds labels, and it holds images")
	set, err := joinedOf(t, map[string][]byte{"cat.npy": gray(1, 3), "dog.npy": gray(2, 9), "labels.npy": onto})
	if err != nil {
		t.Fatal(err)
	}
	checkNotes(t, set, "labels.npy was left out: its images were not found")
}

func TestNPZRefused(t *testing.T) {
	whole := npzOf(t, zip.Store, map[string][]byte{"images": two})
	object := npyOf("|O", "(1,)", count(1))
	for words, file := range map[string][]byte{
		"not a whole .npz":                   whole[:len(whole)-9],
		"it holds no array":                  npzOf(t, zip.Store, nil),
		"foo [2 2 2], quux [1 3 3]: which":   npzOf(t, zip.Store, map[string][]byte{"foo": two, "quux": npyOf("|u1", "(1, 3, 3)", count(9))}),
		"images: its elements are Python":    npzOf(t, zip.Store, map[string][]byte{"images": object}),
		"foo which cannot be read: which of": npzOf(t, zip.Store, map[string][]byte{"foo": object}),
	} {
		_, err := readOne(t, map[string][]byte{"p.npz": file})
		refused(t, err, words)
	}
	set := mustRead(t, map[string][]byte{"p.npz": npzOf(t, zip.Store, map[string][]byte{"images": two, "labels": object})})
	checkNotes(t, set, "labels was left out: its elements are Python objects")
}

func TestTextLabels(t *testing.T) {
	wide := npyOf("<U3", "(2,)", []uint32{'d', 'o', 'g', 'c', 'ä', 0})
	set := mustRead(t, map[string][]byte{"x.npy": two, "y.npy": wide})
	if !slices.Equal(set.Classes, []string{"cä", "dog"}) || !slices.Equal(set.Train.Labels, []int32{1, 0}) {
		t.Errorf("classes %q, labels %v", set.Classes, set.Train.Labels)
	}
	// The names of both parts are numbered together.
	set = mustRead(t, map[string][]byte{"x_train.npy": two, "y_train.npy": npyOf("|S2", "(2,)", []byte("zzb\x00")),
		"x_test.npy": one, "y_test.npy": npyOf("|S1", "(1,)", []byte("a"))})
	if strings.Join(set.Classes, "") != "abzz" || !slices.Equal(set.Train.Labels, []int32{2, 1}) || !slices.Equal(set.Test.Labels, []int32{0}) {
		t.Errorf("classes %q, labels %v and %v", set.Classes, set.Train.Labels, set.Test.Labels)
	}
	checkNotes(t, set, "class a has no image to train on")
	_, err := readOne(t, map[string][]byte{"x_train.npy": two, "y_train.npy": npyOf("|S1", "(2,)", []byte("ab")),
		"x_test.npy": one, "y_test.npy": at})
	refused(t, err, "save both in one way")
}
