package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fmimg/fmimg/dataset/tree"
)

// write makes files below a new folder and returns the folder.
func write(t testing.TB, files map[string][]byte) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// plainPNG is a picture of one colour.
func plainPNG(t testing.TB, w, h int, c color.NRGBA) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := 0; i < len(m.Pix); i += 4 {
		copy(m.Pix[i:], []byte{c.R, c.G, c.B, c.A})
	}
	return encodedPNG(t, m)
}

var (
	red  = color.NRGBA{255, 0, 0, 255}
	gray = color.NRGBA{90, 90, 90, 255}
)

func mustOpen(t testing.TB, path string, o Options) *Set {
	t.Helper()
	set, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// pixels returns the bytes of an image, and its label.
func pixels(s Source, i int) ([]byte, int) {
	h, w, c := s.Shape()
	image := make([]float32, h*w*c)
	label := s.Image(i, image)
	out := make([]byte, len(image))
	for k, x := range image {
		out[k] = ToByte(x)
	}
	return out, label
}

func TestOpenPictures(t *testing.T) {
	r, g := plainPNG(t, 40, 50, red), plainPNG(t, 20, 20, gray)
	set := mustOpen(t, write(t, map[string][]byte{
		"cat/1.png": r, "cat/deep/2.png": g, "dog/3.PNG": r, "stray.png": g,
		"dog/broken.png": r[:50], "notes.txt": []byte("hello"), "empty.png": nil,
		".DS_Store": []byte("x"), "__MACOSX/cat/._1.png": []byte("x"), "dog/.hidden/a.png": r,
	}), Options{Width: 8, Height: 8})
	if got := set.Train.Classes(); !slices.Equal(got, []string{"cat", "dog"}) {
		t.Errorf("classes %q", got)
	}
	if h, w, c := set.Train.Shape(); h != 8 || w != 8 || c != 3 || set.Train.Len() != 4 || set.Test != nil {
		t.Errorf("%d images of %dx%dx%d", set.Train.Len(), h, w, c)
	}
	var labels []int
	for i := range set.Train.Len() {
		_, label := pixels(set.Train, i)
		labels = append(labels, label)
	}
	if !slices.Equal(labels, []int{0, 0, 1, -1}) {
		t.Errorf("labels %v", labels)
	}
	want := []Skip{
		{"not a picture", 2, "empty.png", "an empty file: download or copy it again"},
		{"damaged picture", 1, "dog/broken.png", "png: invalid format: not enough pixel data"},
	}
	if set.Files != 7 || !slices.Equal(set.Skipped, want) || set.SkippedFiles() != 3 {
		t.Errorf("%d files, skipped %+v", set.Files, set.Skipped)
	}
	if sizes := []SizeCount{{20, 20, 2}, {40, 50, 2}}; !slices.Equal(set.Sizes, sizes) {
		t.Errorf("sizes %v", set.Sizes)
	}
}

// Gray pictures make gray sets, unless RGB is asked for. Colour pictures make gray sets when gray
// is asked for.
func TestChannels(t *testing.T) {
	allGray := write(t, map[string][]byte{"a.png": plainPNG(t, 4, 4, gray),
		"b.jpg": encodedJPEG(t, image.NewGray(image.Rect(0, 0, 9, 9)))})
	colour := write(t, map[string][]byte{"a.png": plainPNG(t, 4, 4, gray), "b.png": plainPNG(t, 4, 4, red)})
	for _, c := range []struct {
		path          string
		channels      int
		want          int
		first, second []byte // of each image
	}{
		{allGray, 0, 1, []byte{90}, []byte{0}},
		{allGray, 3, 3, []byte{90, 90, 90}, []byte{0, 0, 0}},
		{colour, 0, 3, []byte{90, 90, 90}, []byte{255, 0, 0}},
		{colour, 1, 1, []byte{90}, []byte{76}}, // 0.299·255
	} {
		set := mustOpen(t, c.path, Options{Channels: c.channels})
		h, w, got := set.Train.Shape()
		if h != 32 || w != 32 || got != c.want {
			t.Errorf("%s: %dx%dx%d", c.path, h, w, got)
		}
		for i, want := range [][]byte{c.first, c.second} {
			if p, _ := pixels(set.Train, i); !bytes.Equal(p[:got], want) {
				t.Errorf("channels %d: image %d is %v, want %v", c.channels, i, p[:got], want)
			}
		}
	}
}

// A zip gives the same set as the folder that it was made of. Folders that hold everything in the
// zip do not matter.
func TestOpenZip(t *testing.T) {
	r := plainPNG(t, 8, 8, red)
	files := map[string][]byte{"cat/1.png": r, "dog/2.png": r, "dog/x.txt": []byte("text")}
	folder := mustOpen(t, write(t, files), Options{})
	inside := map[string][]byte{}
	for name, content := range files {
		inside["animals/all/"+name] = content
	}
	archive := filepath.Join(write(t, map[string][]byte{"my animals.ZIP": zipOf(t, inside)}), "my animals.ZIP")
	set := mustOpen(t, archive, Options{})
	if !slices.Equal(set.Train.Classes(), folder.Train.Classes()) || set.Train.Len() != 2 ||
		set.SkippedFiles() != 1 || set.Train.Name() != "my animals" {
		t.Errorf("%s: %d images, classes %q, skipped %v", set.Train.Name(), set.Train.Len(),
			set.Train.Classes(), set.Skipped)
	}
	tricks := filepath.Join(write(t, map[string][]byte{"tricks.zip": zipOf(t, map[string][]byte{
		"../../up.png": r, "/root.png": r, "a/../../b.png": r, "fine.png": r,
	})}), "tricks.zip")
	set = mustOpen(t, tricks, Options{})
	if set.Train.Len() != 2 || len(set.Skipped) != 1 || set.Skipped[0].Count != 2 ||
		set.Skipped[0].Reason != tree.ErrTrick.Error() {
		t.Errorf("%d images, skipped %+v", set.Train.Len(), set.Skipped)
	}
}

// Folders called train and test divide the set and are not classes.
func TestTrainAndTestFolders(t *testing.T) {
	r := plainPNG(t, 8, 8, red)
	set := mustOpen(t, write(t, map[string][]byte{
		"train/cat/1.png": r, "train/dog/2.png": r, "val/dog/3.png": r, "val/dog/4.png": r,
	}), Options{HoldOut: 0.5})
	if set.Train.Len() != 2 || set.Test.Len() != 2 || !set.OwnTest ||
		!slices.Equal(set.Test.Classes(), []string{"cat", "dog"}) {
		t.Errorf("%d and %d images, classes %q", set.Train.Len(), set.Test.Len(), set.Test.Classes())
	}
	if _, label := pixels(set.Test, 0); label != 1 {
		t.Errorf("label %d", label)
	}
}

// Links are followed, and one that leads in a circle ends.
func TestLinks(t *testing.T) {
	folder := write(t, map[string][]byte{"a/1.png": plainPNG(t, 8, 8, red)})
	if err := os.Symlink("1.png", filepath.Join(folder, "a", "2.png")); err != nil {
		t.Skip(err) // Windows asks for a privilege
	}
	if err := os.Symlink("..", filepath.Join(folder, "a", "up")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(folder, "a", "dead.png")); err != nil {
		t.Fatal(err)
	}
	set := mustOpen(t, folder, Options{})
	if set.Train.Len() != 2 || set.SkippedFiles() != 1 {
		t.Errorf("%d images, skipped %+v", set.Train.Len(), set.Skipped)
	}
	loop := filepath.Join(folder, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), loop, Options{})
	if _, missing := errors.AsType[*UnknownError](err); err == nil || missing {
		t.Errorf("a link to itself: %v, want what the system says", err)
	}
}

func TestOpenPicturesRefuses(t *testing.T) {
	r := plainPNG(t, 8, 8, red)
	for _, c := range []struct {
		name  string
		files map[string][]byte
		path  string // inside the folder
		o     Options
		err   string
	}{
		{"empty folder", nil, "", Options{}, "it holds no files: put pictures into it"},
		{"one file", map[string][]byte{"a.txt": []byte("a")}, "", Options{},
			"its only file cannot be used (a.txt: not a picture)"},
		{"no pictures", map[string][]byte{"a.txt": []byte("a"), "b.txt": nil}, "", Options{},
			"none of its 2 files can be used (b.txt: an empty file"},
		{"strict", map[string][]byte{"a.png": r, "b.txt": []byte("b")}, "", Options{Strict: true},
			"b.txt: not a picture; leave strict out"},
		{"too much memory", map[string][]byte{"a.png": r}, "", Options{Width: 4096, Height: 4096, MaxBytes: 1 << 20},
			"1 image of 4096x4096 with 3 channels needs 50 MB of memory, and 1049 kB are allowed"},
		{"a size that none can have", map[string][]byte{"a.png": r}, "", Options{Width: -1, Height: -1},
			"a side lies between 1 and 4096"},
		{"channels", map[string][]byte{"a.png": r}, "", Options{Channels: 5}, "1 (gray) to 4 (RGBA)"},
		{"one picture", map[string][]byte{"a.png": r}, "a.png", Options{}, "it is one picture: name a folder"},
		{"some text", map[string][]byte{"a.txt": []byte("some text")}, "a.txt", Options{},
			"name a folder or archive of pictures"},
		{"tar", map[string][]byte{"a.tar.gz": zipped(t, nil)}, "a.tar.gz", Options{}, "it holds no files"},
		{"empty file", map[string][]byte{"a.zip": nil}, "a.zip", Options{}, "the file is empty"},
		{"half a zip", map[string][]byte{"a.zip": zipOf(t, map[string][]byte{"a.png": r})[:60]}, "a.zip",
			Options{}, "cut off or damaged (not a valid zip file): copy or make it again"},
		{"zip bomb", map[string][]byte{"a.zip": zipBomb(t)}, "a.zip", Options{}, "is it a bomb?"},
		{"empty zip", map[string][]byte{"a.zip": zipOf(t, nil)}, "a.zip", Options{}, "it holds no files"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(write(t, c.files), c.path)
			_, err := Open(t.Context(), path, c.o)
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), path) ||
				strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
		})
	}
}

// Any number of goroutines reads the same set. The end of the context ends the reading.
func TestOpenInParallel(t *testing.T) {
	files := map[string][]byte{}
	for i := range 40 {
		files[string(rune('a'+i))+".png"] = plainPNG(t, 8+i, 8, color.NRGBA{uint8(i), 0, 0, 255})
	}
	folder := write(t, files)
	one := mustOpen(t, folder, Options{})
	read := 0
	several := Options{Progress: func(n, _ int) { read = max(read, n) }, Parallel: func(n int, do func(int)) error {
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { do(n - 1 - i) })
		}
		wg.Wait()
		return nil
	}}
	all := mustOpen(t, folder, several)
	if read != 40 || all.Digest != one.Digest {
		t.Errorf("%d read, digests %s and %s", read, all.Digest, one.Digest)
	}
	for i := range one.Train.Len() {
		a, _ := pixels(one.Train, i)
		if b, _ := pixels(all.Train, i); !bytes.Equal(a, b) {
			t.Fatalf("image %d differs", i)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, folder, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// The same files have the same digest, and other files another one.
func TestDigest(t *testing.T) {
	a, b := plainPNG(t, 8, 8, red), plainPNG(t, 8, 8, gray)
	digest := func(files map[string][]byte) string { return mustOpen(t, write(t, files), Options{}).Digest }
	first := digest(map[string][]byte{"1.png": a, "2.png": b})
	if digest(map[string][]byte{"1.png": a, "2.png": b}) != first || first == "" {
		t.Error("the digest of the same files differs")
	}
	for _, other := range []map[string][]byte{{"1.png": b, "2.png": a}, {"1.png": a}, {"1.png": a, "3.png": b}} {
		if digest(other) == first {
			t.Errorf("the digest is the same for %d other files", len(other))
		}
	}
}

func TestSplit(t *testing.T) {
	set := openedMNIST(t)
	train, held := Split(set.Test, 0.05, 7)
	again, heldAgain := Split(set.Test, 0.05, 7)
	if train.Len() != 9500 || held.Len() != 500 || held.Name() != "mnist/test/held-out" ||
		train.Name() != "mnist/test" {
		t.Fatalf("%d and %d images in %s and %s", train.Len(), held.Len(), train.Name(), held.Name())
	}
	_, other := Split(set.Test, 0.05, 8)
	a, b := held.(*part), other.(*part)
	if !slices.Equal(a.index, heldAgain.(*part).index) || train.Len() != again.Len() {
		t.Error("the same seed splits in two ways")
	}
	if slices.Equal(a.index, b.index) {
		t.Error("another seed splits in the same way")
	}
	all := slices.Concat(train.(*part).index, a.index)
	slices.Sort(all)
	if len(slices.Compact(all)) != 10_000 || !slices.IsSorted(train.(*part).index) {
		t.Error("the parts are not the whole, or not in order")
	}
	want, wantLabel := pixels(set.Test, int(a.index[3]))
	if got, label := pixels(held, 3); !bytes.Equal(got, want) || label != wantLabel {
		t.Error("image 3 of the held-out is another one")
	}
	for _, share := range []float64{0, 1e-9} {
		if whole, none := Split(set.Test, share, 1); whole != set.Test || none != nil {
			t.Errorf("share %v: %v", share, none)
		}
	}
	// One image of each class stays.
	if few, most := Split(set.Test, 1, 1); few.Len() != 10 || most.Len() != 9990 {
		t.Errorf("%d and %d", few.Len(), most.Len())
	}
}

func TestNotHere(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := Open(t.Context(), "cifar-10", Options{})
	missing, ok := errors.AsType[*NotHereError](err)
	if !ok || !errors.Is(err, fs.ErrNotExist) || missing.Name != "cifar-10" ||
		!strings.Contains(err.Error(), "cifar-10-python.tar.gz") {
		t.Errorf("error %v", err)
	}
}

// A folder of shards: their numbers are not classes, the words of splits divide them, and examples
// of one key in two shards keep their own labels.
func TestShards(t *testing.T) {
	p := plainPNG(t, 4, 4, red)
	shard := func(labels ...string) []byte {
		files := map[string][]byte{}
		for i, label := range labels {
			files[fmt.Sprintf("%03d.png", i)], files[fmt.Sprintf("%03d.cls", i)] = p, []byte(label)
		}
		return zipOf(t, files)
	}
	one := zipOf(t, map[string][]byte{"a.png": p})
	for _, c := range []struct {
		name  string
		files map[string][]byte
		want  string // the labels of the pictures to train on and to test on
	}{
		{"numbers", map[string][]byte{"00000.zip": shard("a", "b"), "00001.zip": shard("b", "b")}, "[0 1 1 1] []"},
		{"a name", map[string][]byte{"x-00000.zip": shard("a", "b"), "x-00001.zip": shard("b", "a")}, "[0 1 1 0] []"},
		{"parts", map[string][]byte{"x-train-0.zip": shard("a", "b"), "x-train-1.zip": shard("b", "b"), "x-val-0.zip": shard("b")},
			"[0 1 1 1] [1]"},
		{"short numbers", map[string][]byte{"0.zip": one, "1.zip": one}, "[0 1] []"},
		{"short numbers of labelled shards", map[string][]byte{"000.zip": shard("a", "b"), "001.zip": shard("b", "b")}, "[0 1 1 1] []"},
		{"how many there are", map[string][]byte{"train-00000-of-00002.zip": shard("a", "b"), "train-00001-of-00002.zip": shard("b", "b"),
			"test-00000-of-00001.zip": shard("b", "a")}, "[0 1 1 1] [1 0]"},
		{"validation", map[string][]byte{"train-00000-of-00001.zip": shard("a", "b"), "validation-00000-of-00001.zip": shard("b")},
			"[0 1] [1]"},
		{"parts of unlabelled shards", map[string][]byte{"train-00000-of-00002.zip": one, "train-00001-of-00002.zip": one,
			"test-00000-of-00001.zip": one}, "[-1 -1] [-1]"},
		{"test shards without labels", map[string][]byte{"x_train_0.zip": shard("a", "b"), "x_test_0.zip": one}, "[0 1] [-1]"},
		{"versions", map[string][]byte{"data_000.zip": shard("a", "b"), "data_001_v2.zip": shard("b", "b")}, "[0 1 1 1] []"},
		{"versions without labels", map[string][]byte{"data_000.zip": one, "data_001_v2.zip": one}, "[-1 -1] []"},
		{"training alone", map[string][]byte{"train-0.zip": shard("a", "b"), "more-0.zip": shard("b")}, "[1 0 1] []"},
		{"folders of shards", map[string][]byte{"train/0.zip": shard("a", "b"), "train/1.zip": shard("b"), "val/0.zip": shard("b")},
			"[0 1 1] [1]"},
		{"classes", map[string][]byte{"cat.zip": one, "dog.zip": one}, "[0 1] []"},
		{"classes in shards", map[string][]byte{"cat-0.zip": one, "dog-00-of-02.zip": one, "dog-01-of-02.zip": one}, "[0 1 1] []"},
		{"classes in parts", map[string][]byte{"train/cat.zip": one, "train/dog.zip": one, "test/dog.zip": one}, "[0 1] [1]"},
		{"words and numbers", map[string][]byte{"class1.zip": one, "class2.zip": one}, "[-1 -1] []"},
	} {
		set := mustOpen(t, write(t, c.files), Options{})
		test := []int32{}
		if set.Test != nil {
			test = Labels(set.Test)
		}
		if got := fmt.Sprint(Labels(set.Train), test); got != c.want {
			t.Errorf("%s: labels %s, want %s; notes %v", c.name, got, c.want, set.Notes)
		}
	}
}

// Archives that are joined though a person may have meant classes are noted.
func TestShardsNote(t *testing.T) {
	one := zipOf(t, map[string][]byte{"a.png": plainPNG(t, 4, 4, red)})
	for note, files := range map[string]map[string][]byte{
		"archives that differ by a number alone, such as class1.zip and class2.zip, were taken for shards and not for classes": {
			"class1.zip": one, "class2.zip": one},
		"": {"train-0.zip": one, "train-1.zip": one, "val-0.zip": one},
	} {
		set := mustOpen(t, write(t, files), Options{})
		if notes := fmt.Sprint(set.Notes); !strings.Contains(notes, note) || note == "" && strings.Contains(notes, "shards") {
			t.Errorf("notes %s, want %q", notes, note)
		}
	}
}

// What a folder without one picture holds is said, with the cure that helps.
func TestNothingToRead(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("nowhere", link); err != nil {
		t.Skip(err) // Windows asks for a privilege
	}
	archives := write(t, map[string][]byte{"a.csv": []byte("x,y\n"), "b.rar": []byte("Rar!\x1a\x07\x01\x00")})
	parts := filepath.Join(write(t, map[string][]byte{"a.zip.001": []byte("PK\x03\x04")}), "a.zip.001")
	for path, want := range map[string]string{
		archives: "none of its 2 files can be used (b.rar: a RAR archive: unpack it)", parts: "join the parts first",
		link: "it is a link that leads nowhere: " + "nowhere: mend the link",
	} {
		if _, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if got := shortName(strings.Repeat("é/", 1000)); len(got) > longestName+len("…") || !strings.Contains(got, "…") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
