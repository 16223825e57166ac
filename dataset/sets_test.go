package dataset

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// idxPair returns files of n images of side x side pixels, and of their labels. All pixels of image
// i have the value i, and its label is i%3.
func idxPair(t testing.TB, n, side int) (images, labels []byte) {
	t.Helper()
	var pixels, classes []byte
	for i := range n {
		pixels = append(pixels, bytes.Repeat([]byte{byte(i)}, side*side)...)
		classes = append(classes, byte(i%3))
	}
	return idxFile(pixels, uint32(n), uint32(side), uint32(side)), idxFile(classes, uint32(n))
}

func TestOpenIDX(t *testing.T) {
	images, labels := idxPair(t, 9, 4)
	testImages, testLabels := idxPair(t, 2, 4)
	three := []string{"0", "1", "2"}
	for _, c := range []struct {
		name    string
		files   map[string][]byte
		path    string
		test    int
		classes []string
	}{
		{"as it was published", map[string][]byte{
			"train-images-idx3-ubyte.gz": zipped(t, images), "train-labels-idx1-ubyte.gz": zipped(t, labels),
			"t10k-images-idx3-ubyte.gz": zipped(t, testImages), "t10k-labels-idx1-ubyte.gz": zipped(t, testLabels),
		}, "", 2, three},
		{"unpacked, with dots",
			map[string][]byte{"train-images.idx3-ubyte": images, "train-labels.idx1-ubyte": labels}, "", 0, three},
		{"packed and unpacked",
			map[string][]byte{"train-images-idx3-ubyte": images, "train-images-idx3-ubyte.gz": nil,
				"train-labels-idx1-ubyte.gz": zipped(t, labels)}, "", 0, three},
		{"names of classes", map[string][]byte{"train-images-idx3-ubyte": images,
			"train-labels-idx1-ubyte": labels, "classes.txt": []byte("cat\n\ndog \r\ncow\n")}, "", 0,
			[]string{"cat", "dog", "cow"}},
		{"no labels", map[string][]byte{"train-images-idx3-ubyte": images}, "", 0, nil},
		{"one of several", map[string][]byte{
			"emnist-letters-train-images-idx3-ubyte.gz": zipped(t, images),
			"emnist-letters-train-labels-idx1-ubyte.gz": zipped(t, labels),
			"emnist-digits-train-images-idx3-ubyte.gz":  nil,
		}, "emnist-letters-train-images-idx3-ubyte.gz", 0, three},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := mustOpen(t, filepath.Join(write(t, c.files), c.path), Options{})
			if set.Train.Len() != 9 || !slices.Equal(set.Train.Classes(), c.classes) ||
				heldLen(set) != c.test || set.OwnTest != (c.test > 0) {
				t.Fatalf("%d + %d images, classes %q", set.Train.Len(), heldLen(set), set.Train.Classes())
			}
			want := 1
			if c.classes == nil {
				want = -1
			}
			if p, label := pixels(set.Train, 7); p[3] != 7 || label != want {
				t.Errorf("image 7 is %v with label %d", p, label)
			}
		})
	}
}

func heldLen(set *Set) int {
	if set.Test == nil {
		return 0
	}
	return set.Test.Len()
}

func TestOpenIDXRefuses(t *testing.T) {
	images, labels := idxPair(t, 9, 4)
	_, fewer := idxPair(t, 8, 4)
	larger, _ := idxPair(t, 9, 5)
	good := func(more map[string][]byte) map[string][]byte {
		files := map[string][]byte{"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels}
		maps.Copy(files, more)
		return files
	}
	for _, c := range []struct {
		name  string
		files map[string][]byte
		err   string
	}{
		{"label counts", good(map[string][]byte{"train-labels-idx1-ubyte": fewer}),
			"9 images, but 8 labels"},
		{"cut off", good(map[string][]byte{"train-images-idx3-ubyte": images[:50]}),
			"train-images-idx3-ubyte: dimensions [9 4 4] claim more bytes than its 34 hold"},
		{"gzip cut off", map[string][]byte{"train-images-idx3-ubyte.gz": zipped(t, images)[:40]},
			"train-images-idx3-ubyte.gz: "},
		{"gzip damaged", map[string][]byte{"train-images-idx3-ubyte.gz": append([]byte("\x1f\x8b\x00"),
			make([]byte, 40)...)}, "invalid header: copy the file again"},
		{"wrong magic", good(map[string][]byte{"train-images-idx3-ubyte": []byte("\x89PNG\r\n\x1a\n....")}),
			"it begins with 0x89504e47"},
		{"empty", good(map[string][]byte{"train-images-idx3-ubyte": nil}), "train-images-idx3-ubyte: it is an empty file"},
		{"other shape", good(map[string][]byte{"t10k-images-idx3-ubyte": larger,
			"t10k-labels-idx1-ubyte": labels}), "do the files belong together?"},
		{"two sets", good(map[string][]byte{"emnist-train-images-idx3-ubyte": images}),
			"it holds 2 sets of arrays: name one by a file"},
		{"too few names", good(map[string][]byte{"classes.txt": []byte("cat\ndog\n")}),
			"classes.txt names 2 classes, and the highest label is 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, c.files)
			if _, err := Open(t.Context(), path, Options{}); err == nil ||
				!strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
		})
	}
}

func TestOpenCIFAR(t *testing.T) {
	names := "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\nlorry\n\n"
	folder := write(t, map[string][]byte{
		"data_batch_1.bin": cifarFile(3, 9), "data_batch_2.bin": cifarFile(0), "test_batch.bin": cifarFile(5, 5),
		"batches.meta.txt": []byte(names), "readme.html": []byte("<html>"),
	})
	set := mustOpen(t, folder, Options{})
	if h, w, c := set.Train.Shape(); h != 32 || w != 32 || c != 3 || set.Train.Len() != 3 ||
		set.Test.Len() != 2 || !set.OwnTest {
		t.Fatalf("%d + %d images of %dx%dx%d", set.Train.Len(), set.Test.Len(), h, w, c)
	}
	if set.Train.Classes()[9] != "lorry" {
		t.Errorf("classes %q", set.Train.Classes())
	}
	for i, want := range []int{3, 9, 0} {
		p, label := pixels(set.Train, i)
		if label != want {
			t.Errorf("label %d, want %d", label, want)
		}
		for k := range p {
			if p[k] != byte(k) { // as cifarFile's planes count when they are interleaved
				t.Fatalf("byte %d is %d", k, p[k])
			}
		}
	}
	one := mustOpen(t, filepath.Join(folder, "data_batch_1.bin"), Options{HoldOut: 0.5})
	// Neither image is held out: each is the only one of its class.
	if one.Train.Len() != 2 || one.Test != nil || one.OwnTest || one.Train.Classes()[9] != "lorry" {
		t.Errorf("%d images, and held out %v", one.Train.Len(), one.Test)
	}
}

func TestOpenCIFARRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string][]byte
		err   string
	}{
		{"cut off", map[string][]byte{"data_batch_1.bin": cifarFile(1, 2)[:4000]},
			"data_batch_1.bin: 927 bytes after image 1"},
		{"empty", map[string][]byte{"data_batch_1.bin": nil}, "data_batch_1.bin: it is an empty file"},
		{"CIFAR-100", map[string][]byte{"data_batch_1.bin": cifarFile(10)}, "label 10 of image 0 is not below 10"},
		{"names", map[string][]byte{"data_batch_1.bin": cifarFile(1), "batches.meta.txt": []byte("cat\n")},
			"batches.meta.txt names 1 class, want 10"},
		{"bad test", map[string][]byte{"data_batch_1.bin": cifarFile(1), "test_batch.bin": []byte("x")},
			"test_batch.bin: 1 bytes after image 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Open(t.Context(), write(t, c.files), Options{}); err == nil ||
				!strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
		})
	}
}

// Sets with a shape of their own are converted to the shape that is asked for.
func TestFit(t *testing.T) {
	images, labels := idxPair(t, 4, 6)
	folder := write(t, map[string][]byte{"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels,
		"t10k-images-idx3-ubyte": images, "t10k-labels-idx1-ubyte": labels})
	for _, o := range []Options{{Width: 4, Height: 4}, {Channels: 3}, {Width: 12, Height: 12, Channels: 3}, {Width: 6, Height: 6, Channels: 1}} {
		t.Run(fmt.Sprint(o.Width, o.Channels), func(t *testing.T) {
			set := mustOpen(t, folder, o)
			for _, s := range []Source{set.Train, set.Test} {
				h, w, c := s.Shape()
				if h != max(o.Width, 6*(1-min(o.Width, 1))) || w != h || c != max(o.Channels, 1) {
					t.Fatalf("%dx%dx%d", h, w, c)
				}
				if p, label := pixels(s, 2); label != 2 || !bytes.Equal(p, bytes.Repeat([]byte{2}, h*w*c)) {
					t.Errorf("image 2 is %v with label %d", p, label)
				}
			}
		})
	}
	cifar := write(t, map[string][]byte{"data_batch_1.bin": cifarFile(3)})
	set := mustOpen(t, cifar, Options{Width: 16, Height: 16, Channels: 1})
	if h, w, c := set.Train.Shape(); h != 16 || w != 16 || c != 1 {
		t.Errorf("%dx%dx%d", h, w, c)
	}
	if _, err := Open(t.Context(), folder, Options{Width: 512, Height: 512, MaxBytes: 1 << 20}); err == nil ||
		!strings.Contains(err.Error(), "4 images of 512x512 with 1 channel need 1050 kB") {
		t.Errorf("error %v", err)
	}
}
