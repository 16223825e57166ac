package dataset

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
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

// Every format gives the same colours, whatever kind of image its decoder makes.
func TestReadPictureFormats(t *testing.T) {
	onRed := image.NewPaletted(image.Rect(0, 0, 6, 4), color.Palette{color.NRGBA{}, red})
	for i := range onRed.Pix {
		onRed.Pix[i] = 1
	}
	for _, c := range []struct {
		name string
		file []byte
		want [3]byte
		near int // largest difference from the bytes wanted
	}{
		{"PNG", plainPNG(t, 6, 4, red), [3]byte{255, 0, 0}, 0},
		{"transparent PNG before white", plainPNG(t, 6, 4, color.NRGBA{}), [3]byte{255, 255, 255}, 0},
		{"half transparent PNG", plainPNG(t, 6, 4, color.NRGBA{0, 0, 0, 51}), [3]byte{204, 204, 204}, 1},
		{"paletted PNG", encodedPNG(t, onRed), [3]byte{255, 0, 0}, 0},
		{"JPEG", encodedJPEG(t, onRed), [3]byte{254, 0, 0}, 2},
		{"GIF", encodedGIF(t, onRed), [3]byte{255, 0, 0}, 0},
		{"WebP", webpFlat(6, 4, 10, 200, 30, 255), [3]byte{10, 200, 30}, 0},
		{"transparent WebP", webpFlat(6, 4, 10, 200, 30, 0), [3]byte{255, 255, 255}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := read(c.file, 3)
			if err != nil {
				t.Fatal(err)
			}
			if p.width != 6 || p.height != 4 || len(p.pixels) != 27 {
				t.Fatalf("%dx%d, %d bytes", p.width, p.height, len(p.pixels))
			}
			for i, b := range p.pixels {
				if d := int(b) - int(c.want[i%3]); d > c.near || -d > c.near {
					t.Fatalf("pixels %v, want %v", p.pixels, c.want)
				}
			}
		})
	}
}

func read(file []byte, side int) (picture, error) {
	return readPicture(file, side, usualLimits.pixels, newRoom(usualLimits.pixels))
}

// An index that the palette lacks panics where readPicture can catch it, and not in a goroutine of
// package imaging.
func TestBadPaletteIndexIsCaught(t *testing.T) {
	bad := image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{red})
	bad.Pix[5] = 7
	defer func() {
		if recover() == nil {
			t.Error("no panic reached this goroutine")
		}
	}()
	square(bad, 2)
}

// A header is believed only when the file could hold the pixels that it claims.
func TestReadPictureBombs(t *testing.T) {
	flat := append(webpFlat(1<<10, 1<<10, 1, 2, 3, 255), 0)
	for _, c := range []struct {
		name string
		file []byte
		want error
	}{
		{"header of a huge PNG", pngClaiming(10_000, 10_000), errTooLarge},
		{"header of a PNG that the file cannot hold", pngClaiming(8000, 8000), errTooLarge},
		{"most pixels of WebP in 40 bytes", webpFlat(16383, 16383, 1, 2, 3, 255), errTooLarge},
		{"as many as are small", flat, nil},
		{"cut off", plainPNG(t, 50, 50, red)[:60], errDamaged},
		{"no picture", []byte("hello, world, here is some text"), errNoPicture},
		{"format that cannot be read", []byte("II*\x00 some TIFF"), errNoPicture},
		{"animated WebP", []byte("RIFF\x10\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00"), errNoPicture},
		{"nothing", nil, errNoPicture},
	} {
		t.Run(c.name, func(t *testing.T) {
			bounded(t, len(c.file), func() {
				if _, err := read(c.file, 4); !errors.Is(err, c.want) || (err != nil) != (c.want != nil) {
					t.Errorf("error %v, want %v", err, c.want)
				}
			})
		})
	}
}

// A photo is cropped to its middle, and turned as its camera noted. This picture is red at the
// left, blue at the right and green on top. The table says where these colours lie for each
// orientation.
func TestCropAndOrientation(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 80, 48))
	for y := range 48 {
		for x := range 80 {
			c := color.NRGBA{255, 255, 255, 255} // outside of the middle square
			switch {
			case x < 16 || x >= 64:
			case y < 16:
				c = color.NRGBA{0, 255, 0, 255}
			case x < 40:
				c = red
			default:
				c = color.NRGBA{0, 0, 255, 255}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	plain := encodedJPEG(t, m)
	// The green side, the left side and the right side. Green lies on top but for 3, upside down.
	for orientation, want := range map[uint16]string{0: "grb", 1: "grb", 2: "gbr", 3: "gbr", 9: "grb"} {
		p, err := read(withOrientation(plain, orientation, orientation%2 == 1), 48)
		if err != nil {
			t.Fatal(err)
		}
		y := 4
		if orientation == 3 {
			y = 44
		}
		sides := []byte{letterAt(p.pixels, 24, y), letterAt(p.pixels, 4, 24), letterAt(p.pixels, 44, 24)}
		if string(sides) != want {
			t.Errorf("orientation %d: %s, want %s", orientation, sides, want)
		}
	}
	// A quarter turn. The camera's top row is the right side for 6 and the left side for 8. 5 and 7
	// are mirrored too.
	for orientation, at := range map[uint16][2]int{5: {4, 24}, 6: {44, 24}, 7: {44, 24}, 8: {4, 24}} {
		p, err := read(withOrientation(plain, orientation, false), 48)
		if err != nil {
			t.Fatal(err)
		}
		if p.width != 48 || p.height != 80 || letterAt(p.pixels, at[0], at[1]) != 'g' {
			t.Errorf("orientation %d: %dx%d, %c at %v", orientation, p.width, p.height,
				letterAt(p.pixels, at[0], at[1]), at)
		}
		// The red side, on the left in the file, is on top for 6 and 5, and below for 8 and 7.
		y := map[uint16]int{5: 4, 6: 4, 7: 44, 8: 44}[orientation]
		if got := letterAt(p.pixels, 24, y); got != 'r' {
			t.Errorf("orientation %d: %c at row %d", orientation, got, y)
		}
	}
}

// letterAt names the strongest colour of a pixel of a 48x48 RGB image.
func letterAt(pixels []byte, x, y int) byte {
	p := pixels[3*(48*y+x):][:3]
	return "rgb"[slices.Index(p, slices.Max(p))]
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
		{"not a picture", 2, "empty.png", "the file is empty"},
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
	if set.Train.Len() != 1 || len(set.Skipped) != 1 || set.Skipped[0].Count != 3 ||
		set.Skipped[0].Reason != errTrick.Error() {
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

// Links to files count. Links to folders and pipes do not, as reading them may never end.
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
	if set.Train.Len() != 2 || set.SkippedFiles() != 2 {
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
	if err := os.Symlink("a", filepath.Join(folder, "train-images-idx3-ubyte")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), folder, Options{}); err == nil ||
		!strings.Contains(err.Error(), "train-images-idx3-ubyte: it is no file") {
		t.Errorf("a folder in place of IDX: %v", err)
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
			"none of its 2 files can be used (a.txt: not a picture)"},
		{"strict", map[string][]byte{"a.png": r, "b.txt": []byte("b")}, "", Options{Strict: true},
			"b.txt: not a picture; leave strict out"},
		{"too much memory", map[string][]byte{"a.png": r}, "", Options{Width: 4096, Height: 4096, MaxBytes: 1 << 20},
			"1 images of 4096x4096 with 3 channels need 50 MB of memory, and 1049 kB are allowed"},
		{"a size that none can have", map[string][]byte{"a.png": r}, "", Options{Width: -1, Height: -1},
			"a side lies between 1 and 4096"},
		{"channels", map[string][]byte{"a.png": r}, "", Options{Channels: 5}, "1 (gray) to 4 (RGBA)"},
		{"one picture", map[string][]byte{"a.png": r}, "a.png", Options{}, "it is one picture: name a folder"},
		{"some text", map[string][]byte{"a.txt": []byte("some text")}, "a.txt", Options{},
			"name a folder or a .zip of pictures"},
		{"tar", map[string][]byte{"a.tar.gz": zipped(t, nil)}, "a.tar.gz", Options{}, "unpack it and name the folder"},
		{"empty file", map[string][]byte{"a.zip": nil}, "a.zip", Options{}, "the file is empty"},
		{"half a zip", map[string][]byte{"a.zip": zipOf(t, map[string][]byte{"a.png": r})[:60]}, "a.zip",
			Options{}, "not a valid zip file: copy or make it again"},
		{"zip bomb", map[string][]byte{"a.zip": zipBomb(t)}, "a.zip", Options{}, "is it a zip bomb?"},
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

// At any time at most as many pixels are decoded as there is room for.
func TestRoom(t *testing.T) {
	r := newRoom(10)
	var wg sync.WaitGroup
	var mu sync.Mutex
	inside, most := 0, 0
	add := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		inside += n
		most = max(most, inside)
	}
	for i := range 50 {
		n := 1 + i%10
		wg.Go(func() {
			r.take(n)
			add(n)
			runtime.Gosched()
			add(-n)
			r.give(n)
		})
	}
	wg.Wait()
	if most > 10 || most < 2 || inside != 0 || r.left != 10 {
		t.Errorf("at most %d inside, %d at the end, %d left", most, inside, r.left)
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
	if few, most := Split(set.Test, 1, 1); few.Len() != 1 || most.Len() != 9999 {
		t.Errorf("%d and %d", few.Len(), most.Len())
	}
}

func TestNotHere(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := Open(t.Context(), "cifar-10", Options{})
	missing, ok := errors.AsType[*NotHereError](err)
	if !ok || !errors.Is(err, fs.ErrNotExist) || missing.Name != "cifar-10" ||
		!strings.Contains(err.Error(), "cifar-10-binary.tar.gz") {
		t.Errorf("error %v", err)
	}
}
