package array

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	trainImages, trainLabels = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
	testImages, testLabels   = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
)

// images builds n images of 4x5 that count on.
func images(n int) []byte { return idx(8, count(20*n), uint32(n), 4, 5) }

func marks(list ...byte) []byte { return idx(8, list, uint32(len(list))) }

func TestIDX(t *testing.T) {
	for name, content := range map[string]map[string][]byte{
		"MNIST":      {trainImages: images(2), trainLabels: marks(1, 0), testImages: images(1), testLabels: marks(1)},
		"compressed": {trainImages + ".gz": gz(t, images(2)), trainLabels + ".gz": gz(t, marks(1, 0)), testImages: images(1), testLabels: marks(1)},
		"Kaggle": {"train-images.idx3-ubyte": images(2), "train-labels.idx1-ubyte": marks(1, 0),
			"t10k-images.idx3-ubyte": images(1), "t10k-labels.idx1-ubyte": marks(1)},
		"torchvision": {"MNIST/raw/" + trainImages: images(2), "MNIST/raw/" + trainLabels: marks(1, 0),
			"MNIST/raw/" + testImages: images(1), "MNIST/raw/" + testLabels: marks(1)},
		"macOS": {trainImages: images(2), "._" + trainImages: count(50), trainLabels: marks(1, 0),
			testImages: images(1), testLabels: marks(1), "__MACOSX/" + trainImages: images(9)},
		"both": {trainImages: images(2), trainImages + ".gz": count(9), trainLabels: marks(1, 0),
			"Test-Images-idx3-ubyte": images(1), "test-labels-idx1-ubyte": marks(1)},
	} {
		t.Run(name, func(t *testing.T) {
			set := mustRead(t, content)
			if set.Format != "IDX files" || !bytes.Equal(set.Train.Pixels, count(40)) || !bytes.Equal(set.Test.Pixels, count(20)) ||
				!slices.Equal(set.Train.Labels, []int32{1, 0}) || !slices.Equal(set.Test.Labels, []int32{1}) ||
				!slices.Equal(set.Classes, []string{"0", "1"}) || len(set.Files) != 4 {
				t.Errorf("%+v, train %+v, test %+v", set, set.Train, set.Test)
			}
			checkNotes(t, set, "")
		})
	}
}

// Images and labels are named by any file of a set, and sets by their images.
func TestIDXNames(t *testing.T) {
	found := Find(files(map[string][]byte{
		"a/" + trainLabels: nil, "a/" + trainImages: nil, "b/emnist-digits-" + testImages: nil,
		"b/emnist-mnist-train-images-idx3-ubyte.gz": nil, "c/" + trainLabels: nil, "d/readme.txt": nil,
	}))
	var names []string
	for _, s := range found {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "a/train-images-idx3-ubyte b/emnist-digits-t10k-images-idx3-ubyte "+
		"b/emnist-mnist-train-images-idx3-ubyte.gz" {
		t.Errorf("found %s", got)
	}
}

// Files that cannot be used are passed over.
func TestUnusableFiles(t *testing.T) {
	list := files(map[string][]byte{trainImages: images(2), "x.npy": two})
	list[0].Err = io.ErrClosedPipe
	if found := Find(list); len(found) != 1 || found[0].Format != "NumPy array" {
		t.Errorf("found %+v", found)
	}
}

// A context that ends, ends reading.
func TestCanceled(t *testing.T) {
	for _, content := range []map[string][]byte{
		{trainImages: images(2)}, {"x.npy": npyOf("<i4", "(1, 2, 2)", []int32{1, 2, 3, 4})}, {"data_batch_1.bin": batch(false, 1)},
		{"a.csv": []byte("1," + row(10) + "\n0," + row(20) + "\n")},
	} {
		if _, err := Find(files(content))[0].Read(canceled(t), Limits{}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestIDXRefused(t *testing.T) {
	claim := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 3, 0, 0, 0x80, 0, 0, 0, 0x80, 0}, 1)
	for _, c := range []struct {
		name string
		file []byte
		err  string
	}{
		{"empty", nil, "header: unexpected EOF: copy the file again"},
		{"cut in the magic number", []byte{0, 0, 8}, "header: unexpected EOF"},
		{"cut in the dimensions", idx(8, nil, 1, 1)[:11], "header: unexpected EOF"},
		{"another format", []byte("\x89PNG\r\n\x1a\n"), "begins with 0x89504e47"},
		{"second byte", []byte{0, 1, 8, 1, 0, 0, 0, 0}, "not with two zero bytes"},
		{"no type", []byte{0, 0, 0x0a, 1, 0, 0, 0, 0}, "elements of type 0x0a"},
		{"no dimensions", idx(8, nil), "0 dimensions, want 1 to 4"},
		{"5 dimensions", idx(8, []byte{1}, 1, 1, 1, 1, 1), "5 dimensions, want 1 to 4"},
		{"a large claim", claim, "claim more bytes"},
		{"product wraps to 0", idx(8, nil, 1<<31, 1<<31, 4), "claim more"},
		{"all the largest", idx(8, nil, 1<<32-1, 1<<32-1, 1<<32-1, 1<<32-1), ""},
		{"data cut off", idx(8, count(5), 1, 2, 3), "claim more"},
		{"a byte too many", idx(8, count(7), 1, 2, 3), "bytes follow the 6"},
		{"no image", idx(8, nil, 0, 2, 3), "nothing to learn from"},
		{"one dimension", idx(8, count(9), 9), "are not those of images"},
		{"five channels", idx(8, count(125), 1, 5, 5, 5), "none of these stands where channels do"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for end, file := range map[string][]byte{"": c.file, ".gz": gz(t, c.file)} {
				_, err := readOne(t, map[string][]byte{trainImages + end: file})
				if err == nil || c.err != "claim more" && !strings.Contains(err.Error(), c.err) && end == "" {
					t.Errorf("%s: error %v, want one with %q", end, err, c.err)
				}
			}
		})
	}
}

// A compressed file that is cut at any byte, or damaged, is refused.
func TestIDXDamaged(t *testing.T) {
	whole := gz(t, images(2))
	for n := range whole {
		if _, err := readOne(t, map[string][]byte{trainImages + ".gz": whole[:n]}); err == nil {
			t.Fatalf("cut after %d of %d bytes: read", n, len(whole))
		}
	}
	whole[len(whole)-8] ^= 1
	_, err := readOne(t, map[string][]byte{trainImages: whole})
	refused(t, err, "copy the file again")
}

func TestIDXLabels(t *testing.T) {
	float := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, math.Float32bits(2)), math.Float32bits(0))
	numbered := []string{"0", "1", "2"}
	for _, c := range []struct {
		name    string
		labels  []byte
		want    []int32
		classes []string
		note    string
	}{
		{"bytes", marks(2, 0), []int32{2, 0}, numbered, "class 1 has no image to train on"},
		{"signed", idx(9, []byte{2, 255}, 2), []int32{2, -1}, numbered, "1 image to train on has no class"},
		{"int16", idx(0x0b, []byte{0, 2, 0, 1}, 2), []int32{2, 1}, numbered, "class 0 has no image to train on"},
		{"int32", idx(0x0c, []byte{0, 0, 0, 2, 0, 0, 0, 1}, 2), []int32{2, 1}, numbered, "class 0"},
		{"float", idx(0x0d, float, 2), []int32{2, 0}, numbered, "class 1"},
		{"column", idx(8, []byte{2, 0}, 2, 1), []int32{2, 0}, numbered, "class 1"},
		{"one hot", idx(8, []byte{0, 0, 1, 1, 0, 0}, 2, 3), []int32{2, 0}, numbered, "the place of the one"},
		{"several", idx(8, []byte{0, 1, 1, 1, 0, 0}, 2, 3), nil, nil, "are not one class: the images have no classes"},
		{"none", idx(9, []byte{255, 255}, 2), nil, nil, "every label is -1"},
		{"fractions", idx(0x0d, []byte{0x3f, 0, 0, 0, 0, 0, 0, 0}, 2), nil, nil, "is 0.5, which is not a whole number"},
		{"not there", nil, nil, nil, "labels were not found (no train-labels-idx1-ubyte): the images have no classes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			content := map[string][]byte{trainImages: images(2)}
			if c.labels != nil {
				content[trainLabels] = c.labels
			}
			set := mustRead(t, content)
			if !slices.Equal(set.Train.Labels, c.want) || !slices.Equal(set.Classes, c.classes) {
				t.Errorf("labels %v, classes %q", set.Train.Labels, set.Classes)
			}
			checkNotes(t, set, c.note)
		})
	}
	for words, labels := range map[string][]byte{
		"2 images, but 3 labels":              marks(0, 1, 2),
		"labels lie between 0 and 65535":      idx(9, []byte{0, 254}, 2),
		"label 70000 of image 1":              idx(0x0c, []byte{0, 0, 0, 0, 0, 1, 0x11, 0x70}, 2),
		"labels have dimensions [2 2 2]":      idx(8, count(8), 2, 2, 2),
		"train-labels-idx1-ubyte: dimensions": idx(8, count(3), 2, 1<<20),
	} {
		_, err := readOne(t, map[string][]byte{trainImages: images(2), trainLabels: labels})
		refused(t, err, words)
	}
}

// Labels of the test images alone are no use for training. With those of the training images alone,
// the test images have no class.
func TestLabelsOfOnePart(t *testing.T) {
	set := mustRead(t, map[string][]byte{trainImages: images(2), testImages: images(1), testLabels: marks(1)})
	if set.Train.Labels != nil || set.Test.Labels != nil || set.Classes != nil {
		t.Errorf("labels %v and %v, classes %q", set.Train.Labels, set.Test.Labels, set.Classes)
	}
	checkNotes(t, set, "labels of the training images were not found (no train-labels-idx1-ubyte): the images have no classes")
	set = mustRead(t, map[string][]byte{trainImages: images(2), trainLabels: marks(0, 1), testImages: images(1)})
	if !slices.Equal(set.Test.Labels, []int32{-1}) {
		t.Errorf("labels %v", set.Test.Labels)
	}
	checkNotes(t, set, "labels of the test images were not found (no t10k-labels-idx1-ubyte): 1 image has no class")
	set = mustRead(t, map[string][]byte{trainImages: images(2), trainLabels: marks(0, 1), testLabels: marks(1)})
	checkNotes(t, set, testLabels+" was left out: its images were not found")
}

func TestTestAlone(t *testing.T) {
	set := mustRead(t, map[string][]byte{testImages: images(2), testLabels: marks(0, 1)})
	if set.Test != nil || set.Train.Len() != 2 || len(set.Classes) != 2 {
		t.Errorf("train %+v, test %+v", set.Train, set.Test)
	}
}

func TestShapesDiffer(t *testing.T) {
	_, err := readOne(t, map[string][]byte{trainImages: images(2), testImages: idx(8, count(20), 1, 5, 4)})
	refused(t, err, "do the files belong together?")
}

func TestClassNames(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		classes          []string
		note, err        string
	}{
		{"names", "classes.txt", "cat\n\n dog \r\ncow", []string{"cat", "dog", "cow"}, "", ""},
		{"mark", "classes.txt", "\ufeffcat\ndog\ncow\n", []string{"cat", "dog", "cow"}, "", ""},
		{"line ends of the old Mac", "classes.txt", "cat\rdog\rcow\r", []string{"cat", "dog", "cow"}, "", ""},
		{"too few", "classes.txt", "cat\ndog\n", nil, "", "classes.txt names 2 classes, and the highest label is 2"},
		{"one", "classes.txt", "cat\n", nil, "", "classes.txt names 1 class, and"},
		{"too many", "classes.txt", "a\nb\nc\nd\n", []string{"a", "b", "c"}, "classes.txt names 4 classes", ""},
		{"empty", "classes.txt", "\n", nil, "", "classes.txt is empty"},
		{"labels", "labels.txt", "cat\ndog\ncow\n", []string{"cat", "dog", "cow"}, "", ""},
		{"other labels", "labels.txt", "0\n1\n", []string{"0", "1", "2"}, "labels.txt was not read: it has 2 lines, and there are 3 classes", ""},
		{"Kuzushiji", "kmnist_classmap.csv", "index,codepoint,char\n0,U+304A,お\n1,U+304D,き\n2,U+3059,す\n",
			[]string{"お", "き", "す"}, "", ""},
		{"out of order", "k49_classmap.csv", "index,codepoint,char\n1,U+304A,お\n", nil, "", "line 2 does not name label 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := readOne(t, map[string][]byte{trainImages: images(3), trainLabels: marks(2, 1, 0), c.file: []byte(c.text)})
			if c.err != "" {
				refused(t, err, c.err)
				return
			}
			if err != nil || !slices.Equal(set.Classes, c.classes) {
				t.Fatalf("classes %q, %v", set.Classes, err)
			}
			checkNotes(t, set, c.note)
		})
	}
}

// Names are those of labels from 1 on where there is one for each.
func TestLabelsFromOne(t *testing.T) {
	set := mustRead(t, map[string][]byte{trainImages: images(2), trainLabels: marks(2, 1), "classes.txt": []byte("cat\ndog\n")})
	if !slices.Equal(set.Classes, []string{"cat", "dog"}) || !slices.Equal(set.Train.Labels, []int32{1, 0}) {
		t.Errorf("classes %q, labels %v", set.Classes, set.Train.Labels)
	}
	checkNotes(t, set, "labels begin at 1")
}

func TestFashion(t *testing.T) {
	all := idx(8, make([]byte, 10*20), 10, 4, 5)
	set := mustRead(t, map[string][]byte{"FashionMNIST/raw/" + trainImages: all, "FashionMNIST/raw/" + trainLabels: marks(count(10)...)})
	if set.Classes[9] != "Ankle boot" {
		t.Errorf("classes %q", set.Classes)
	}
	if KnownClasses("my-fashion", 9) != nil || KnownClasses("mnist", 10) != nil || len(KnownClasses("Fashion", 10)) != 10 {
		t.Error("known classes")
	}
}

func TestQMNIST(t *testing.T) {
	var columns []byte
	for _, label := range []uint32{7, 1} {
		for column := range uint32(8) {
			columns = binary.BigEndian.AppendUint32(columns, label+1000*column)
		}
	}
	set := mustRead(t, map[string][]byte{"qmnist-train-images-idx3-ubyte.gz": gz(t, images(2)),
		"qmnist-train-labels-idx2-int.gz": gz(t, idx(0x0c, columns, 2, 8))})
	if !slices.Equal(set.Train.Labels, []int32{7, 1}) {
		t.Errorf("labels %v", set.Train.Labels)
	}
}

// EMNIST's images are stored column by column.
func TestEMNIST(t *testing.T) {
	upright := count(20) // 4 rows of 5
	var stored []byte
	for x := range 5 {
		for y := range 4 {
			stored = append(stored, upright[5*y+x])
		}
	}
	content := map[string][]byte{
		"emnist-letters-train-images-idx3-ubyte": idx(8, slices.Repeat(stored, 2), 2, 5, 4),
		"emnist-letters-train-labels-idx1-ubyte": marks(2, 1),
		"emnist-letters-mapping.txt":             []byte("1 65 97\n2 66 98\n"),
		"emnist-digits-mapping.txt":              []byte("0 48\n"),
	}
	set := mustRead(t, content)
	if !bytes.Equal(set.Train.Pixels, slices.Repeat(upright, 2)) || set.Train.Height != 4 || set.Train.Width != 5 {
		t.Errorf("pixels %v of %dx%d", set.Train.Pixels, set.Train.Width, set.Train.Height)
	}
	if !slices.Equal(set.Classes, []string{"Aa", "Bb"}) || !slices.Equal(set.Train.Labels, []int32{1, 0}) {
		t.Errorf("classes %q, labels %v", set.Classes, set.Train.Labels)
	}
	checkNotes(t, set, "turned upright")
	checkNotes(t, set, "labels begin at 1")
	delete(content, "emnist-letters-mapping.txt")
	if set = mustRead(t, content); !slices.Equal(set.Classes, []string{"1", "2"}) {
		t.Errorf("without a mapping: classes %q", set.Classes)
	}
	for words, text := range map[string]string{
		"line 1 is not a label": "a b\n", "line 2 does not name label 2": "1 65\n3 66\n", "line 1 does not name": "1\n",
		"is empty": "",
	} {
		content["emnist-letters-mapping.txt"] = []byte(text)
		_, err := readOne(t, content)
		refused(t, err, words)
	}
}

func TestMemoryLimit(t *testing.T) {
	found := Find(files(map[string][]byte{trainImages: images(100)}))
	_, err := found[0].Read(t.Context(), Limits{MaxBytes: 3000})
	refused(t, err, "100 images of 5x4 with 1 channel need "+strconv.Itoa(8)+" kB of memory")
	if _, err = found[0].Read(t.Context(), Limits{}); err != nil {
		t.Error(err)
	}
}

// IDX files are called in many ways. Where the name does not tell the format, the first bytes do.
func TestIDXOtherNames(t *testing.T) {
	for _, c := range []struct{ images, labels string }{
		{"TRAIN-IMAGES-IDX3-UBYTE", "TRAIN-LABELS-IDX1-UBYTE"},
		{"train-images.idx3-ubyte", "train-labels.idx1-ubyte"},
		{"train-images-idx3-ubyte.bin", "train-labels-idx1-ubyte (1)"},
		{"train-images-idx3-ubyte/train-images-idx3-ubyte", "train-labels-idx1-ubyte/train-labels-idx1-ubyte"},
		{"train_images.idx", "train_labels.idx"},
		{"train-images-ubyte", "train-labels-ubyte"},
		{"train_images", "train_labels.bin"},
	} {
		set := mustRead(t, map[string][]byte{c.images: images(2), c.labels: marks(1, 0)})
		if set.Train.Len() != 2 || len(set.Classes) != 2 {
			t.Errorf("%s: %d images, classes %q", c.images, set.Train.Len(), set.Classes)
		}
	}
	for _, name := range []string{"train-images.bin", "images", "train"} {
		if found := Find(files(map[string][]byte{name: append(images(2), 0)})); len(found) != 0 {
			t.Errorf("%s, with a byte too many: found %q", name, found[0].Format)
		}
	}
}
