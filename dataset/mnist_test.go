package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"math"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fmimg/fmimg/internal/race"
)

// TestMNISTChecksums compares the files with their checksums, in the code and in mnist/README.md.
func TestMNISTChecksums(t *testing.T) {
	readme, err := os.ReadFile("mnist/README.md")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, p := range []mnistPart{mnistTrain, mnistTest} {
		for name, want := range map[string]string{p.images: p.imagesSHA256, p.labels: p.labelsSHA256} {
			file, err := fs.ReadFile(mnistFiles, name)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(file)
			if got := hex.EncodeToString(sum[:]); got != want {
				t.Errorf("%s has SHA-256 %s, want %s", name, got, want)
			}
			if !strings.Contains(string(readme), want) {
				t.Errorf("mnist/README.md lacks the SHA-256 of %s", name)
			}
			files++
		}
	}
	if entries, err := mnistFiles.ReadDir("mnist"); err != nil || len(entries) != files {
		t.Errorf("%d files are embedded, %d are checked (%v)", len(entries), files, err)
	}
}

func openedMNIST(t testing.TB) *Set {
	t.Helper()
	set, err := Open(t.Context(), "mnist", Options{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestMNISTContents compares with published figures of the data set: the number of images of each
// class, and the mean and the standard deviation of the training pixels in [0,1], 0.1307 and
// 0.3081.
func TestMNISTContents(t *testing.T) {
	set := openedMNIST(t)
	train, test := set.Train, set.Test
	for _, c := range []struct {
		source         Source
		name           string
		classes        [10]int
		mean, std, tol float64
	}{
		{train, "mnist/train", [10]int{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949}, 0.1307,
			0.3081, 5e-5},
		// The test images are another sample. The standard errors of their figures are about 1e-3.
		{test, "mnist/test", [10]int{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}, 0.1307, 0.3081, 5e-3},
	} {
		t.Run(c.name, func(t *testing.T) {
			if race.Enabled && c.source == train {
				t.Skip("slow under the race detector: the test images show the same")
			}
			classes, mean, std := statistics(c.source)
			if classes != c.classes {
				t.Errorf("images of each class: %v, want %v", classes, c.classes)
			}
			if math.Abs(mean-c.mean) > c.tol || math.Abs(std-c.std) > c.tol {
				t.Errorf("mean %.5f, deviation %.5f, want %.4f and %.4f", mean, std, c.mean, c.std)
			}
			if c.source.Name() != c.name {
				t.Errorf("it is called %q", c.source.Name())
			}
		})
	}
}

// statistics returns the number of images of each class, and the mean and the deviation of the
// pixels as numbers in [0,1].
func statistics(s Source) (classes [10]int, mean, std float64) {
	h, w, c := s.Shape()
	image := make([]float32, h*w*c)
	sum, squares := 0.0, 0.0
	for i := range s.Len() {
		classes[s.Image(i, image)]++
		for _, x := range image {
			v := (float64(x) + 1) / 2
			sum += v
			squares += v * v
		}
	}
	n := float64(s.Len() * len(image))
	mean = sum / n
	return classes, mean, math.Sqrt(squares/n - mean*mean)
}

// TestMNISTDamaged decodes the files that a build from a damaged copy would have.
func TestMNISTDamaged(t *testing.T) {
	images, err := fs.ReadFile(mnistFiles, mnistTest.images)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := fs.ReadFile(mnistFiles, mnistTest.labels)
	if err != nil {
		t.Fatal(err)
	}
	trainLabels, err := fs.ReadFile(mnistFiles, mnistTrain.labels)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name           string
		images, labels []byte
		err            string
	}{
		{"no images", nil, labels, mnistTest.images},
		{"no labels", images, nil, mnistTest.labels},
		{"images cut off", images[:1_000_000], labels, "embedded " + mnistTest.images + ": unexpected EOF"},
		{"labels as text", images, []byte("version https://"), "embedded " + mnistTest.labels + ": gzip: invalid header"},
		{"the other labels", images, trainLabels, "embedded mnist/t10k-labels-idx1-ubyte.gz: 50000 bytes too many"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := fstest.MapFS{}
			if c.images != nil {
				files[mnistTest.images] = &fstest.MapFile{Data: c.images}
			}
			if c.labels != nil {
				files[mnistTest.labels] = &fstest.MapFile{Data: c.labels}
			}
			if _, err := mnistTest.decode(files); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
		})
	}
}

func TestMNISTIsShared(t *testing.T) {
	if openedMNIST(t).Train != openedMNIST(t).Train {
		t.Error("the second Open decoded the images again")
	}
}

func TestImageDoesNotAllocate(t *testing.T) {
	train := openedMNIST(t).Train
	image := make([]float32, 28*28)
	if n := testing.AllocsPerRun(10, func() { train.Image(59_999, image) }); n != 0 {
		t.Errorf("Image allocates %v times", n)
	}
}

func TestImagePanics(t *testing.T) {
	train := openedMNIST(t).Train
	for name, call := range map[string]func(){
		"negative index": func() { train.Image(-1, make([]float32, 784)) },
		"index too high": func() { train.Image(60_000, make([]float32, 784)) },
		"short buffer":   func() { train.Image(0, make([]float32, 783)) },
		"long buffer":    func() { train.Image(0, make([]float32, 785)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}

func BenchmarkDecodeMNIST(b *testing.B) {
	for b.Loop() {
		if _, err := mnistTrain.decode(mnistFiles); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkImage(b *testing.B) {
	train := openedMNIST(b).Train
	image := make([]float32, 28*28)
	b.SetBytes(28 * 28)
	b.ReportAllocs()
	for b.Loop() {
		train.Image(0, image)
	}
}
