//go:build nodynamic

package decode

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"strings"
	"sync"
	"testing"
)

// Each file of a guest's format shows the scene.
func TestGuests(t *testing.T) {
	for _, c := range []struct {
		name         string
		want         string
		opaque, gray bool
		peak         uint16
	}{
		{"rgb.avif", turnedSides[1], true, false, 0}, {"sequence.avif", turnedSides[1], true, false, 0},
		{"rgb.heic", turnedSides[1], true, false, 0}, {"half.heic", turnedSides[1], true, false, 0},
		{"deephalf.heic", turnedSides[1], true, false, 0},
		{"wide.heic", turnedSides[1], true, false, 0}, {"identity.heic", turnedSides[1], true, false, 0},
		{"rgb.jxl", turnedSides[1], true, false, 0}, {"lossy.jxl", turnedSides[1], true, false, 0},
		{"container.jxl", turnedSides[1], true, false, 0},
		{"exif6.heic", turnedSides[6], true, false, 0}, {"turned6.jxl", turnedSides[6], true, false, 0},
		{"exif6.jxl", turnedSides[1], true, false, 0},
		{"alpha.avif", "gtrt", false, false, 0}, {"alpha.jxl", "gtrt", false, false, 0},
		{"gray.avif", "", true, true, 0}, {"gray.heic", "", true, true, 0}, {"gray.jxl", "", true, true, 0},
		{"deep.avif", "", true, true, 65535}, {"deep.jxl", "", true, true, 65535},
	} {
		p, err := Decode(testFile(t, c.name), Options{Channels: 4})
		if err != nil || p.Opaque != c.opaque || p.Gray != c.gray || p.Peak != c.peak {
			t.Errorf("%s: %v, opaque %v, gray %v, peak %d", c.name, err, p.Opaque, p.Gray, p.Peak)
			continue
		}
		if got := sidesOrNothing(p); c.want != "" && got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		checkGray(t, c.name, p)
	}
}

// sidesOrNothing is sides of RGBA, with t for what is transparent.
func sidesOrNothing(p Picture) string {
	got := []byte(sides(p, 4))
	w, h := p.Width-1, p.Height-1
	for i, at := range [][2]int{{2, 2}, {w - 2, 2}, {2, h - 2}, {w - 2, h - 2}} {
		if rgbaAt(p, at[0], at[1])[3] == 0 {
			got[i] = 't'
		}
	}
	return string(got)
}

// checkGray compares with the scene's luma, or with a ramp from black to white.
func checkGray(t *testing.T, name string, p Picture) {
	t.Helper()
	for _, at := range [][2]int{{2, 2}, {3, 20}, {38, 20}} {
		c := scene().NRGBAAt(at[0], at[1])
		want := int(color.GrayModel.Convert(c).(color.Gray).Y)
		if strings.HasPrefix(name, "deep") {
			want = 255 * at[0] / 39
		}
		if got := int(rgbaAt(p, at[0], at[1])[0]); p.Gray && (got-want > 3 || want-got > 3) {
			t.Errorf("%s: %d at %v, want %d", name, got, at, want)
		}
	}
}

// irot and imir turn an AVIF: its Exif data do not count.
func TestTurnedAVIF(t *testing.T) {
	for o := 2; o < 9; o++ {
		p, err := Decode(testFile(t, fmt.Sprintf("turned%d.avif", o)), Options{})
		if err != nil || sides(p, 3) != turnedSides[o] {
			t.Errorf("orientation %d: %v, %dx%d", o, err, p.Width, p.Height)
		}
	}
}

// The transparency of HEIC would be lost without a word, and samples of 10 bits be read as if they
// were of 8.
func TestUnsupportedHEIC(t *testing.T) {
	for name, want := range map[string]string{
		"alpha.heic": "HEIC with transparency", "deep.heic": "HEIC of 10 bits a sample", "deepgray.heic": "HEIC of 10 bits a sample",
	} {
		if _, err := Decode(testFile(t, name), Options{}); !errors.Is(err, ErrUnsupported) ||
			!strings.Contains(err.Error(), want+": convert it to PNG") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// patched returns a file in which a text is another one of the same length.
func patched(t testing.TB, file []byte, was, is string) []byte {
	t.Helper()
	if len(was) != len(is) || !bytes.Contains(file, []byte(was)) {
		t.Fatalf("%q is not there, or %q is not as long", was, is)
	}
	return bytes.ReplaceAll(file, []byte(was), []byte(is))
}

// The box of colours tells how samples stand for them, and else the stream. Samples of a TV's range
// were read as if they were of the full one: white was 235.
func TestHEICCoding(t *testing.T) {
	const (
		box     = "colrnclx\x00\x01\x00\x0d\x00\x01\x00" // sRGB, but BT.709 of a TV's range
		full709 = "colrnclx\x00\x01\x00\x0d\x00\x01\x80"
		tv601   = "colrnclx\x00\x01\x00\x0d\x00\x06\x00"
		nothing = "colrnclx\x00\x02\x00\x02\x00\x02\x80" // as libheif writes it
		tvAlone = "colrnclx\x00\x02\x00\x02\x00\x02\x00"
		noBox   = "freenclx\x00\x01\x00\x0d\x00\x01\x00"
		rare    = "colrnclx\x00\x01\x00\x0d\x00\x0e\x00"
	)
	tv, tiles := testFile(t, "tv709.heic"), testFile(t, "tvgrid.heic")
	right := [2][3]byte{{255, 0, 0}, {0, 255, 0}}
	by601 := [2][3]byte{{233, 0, 1}, {21, 255, 8}}
	for name, c := range map[string]struct {
		file []byte
		want [2][3]byte // red and green as Pillow shows them, by libheif 1.23
	}{
		"BT.709": {tv, right}, "BT.2020, 4:2:0": {testFile(t, "tv2020half.heic"), right},
		"nothing said": {testFile(t, "silent601.heic"), right},
		"the stream":   {patched(t, tv, box, noBox), right}, "a box that says nothing": {patched(t, tv, box, nothing), right},
		"a box without a matrix":   {patched(t, tv, box, tvAlone), by601},
		"a box against the stream": {patched(t, tv, box, tv601), by601},
		"a box of full range":      {patched(t, tv, box, full709), [2][3]byte{{238, 14, 14}, {13, 235, 12}}},
		"tiles":                    {tiles, right},
		"tiles of another box":     {patched(t, tiles, box, tv601), by601},
	} {
		p, err := Decode(c.file, Options{Channels: 4})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, want := range c.want {
			if got := patch(p, i, 1); far(got, want[:]) > 3 {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
		if c.want == right {
			checkPatches(t, name, p)
		}
	}
	if _, err := Decode(patched(t, tv, box, rare), Options{}); !errors.Is(err, ErrUnsupported) ||
		!strings.Contains(err.Error(), "HEIC of a rare kind of colours: convert it") {
		t.Error(err)
	}
}

// Gray of a TV's range is spread, where the stream says so too: libheif writes gray of full range
// whatever its box says.
func TestHEICGrayRange(t *testing.T) {
	tv := testFile(t, "tvgray.heic")
	for name, c := range map[string]struct {
		file        []byte
		black, step float64 // of each column
	}{
		"a TV's range":     {tv, 0, 255. / 39},
		"the stream alone": {patched(t, tv, "colrnclx", "freenclx"), 0, 255. / 39},
		"a box of full":    {patched(t, tv, "\x00\x01\x00\x0d\x00\x06\x00", "\x00\x01\x00\x0d\x00\x06\x80"), 16, 219. / 39},
		"a stream of full": {patched(t, tv, "\xaa\xba\x6b\x9a\x02", "\xaa\xba\x6b\x9b\x02"), 16, 219. / 39},
	} {
		p, err := Decode(c.file, Options{Channels: 1})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for x := range p.Width {
			if d := float64(p.Pixels[x]) - c.black - c.step*float64(x); d > 2 || d < -2 {
				t.Errorf("%s: %d in column %d", name, p.Pixels[x], x)
				break
			}
		}
	}
}

// A file that is cut off anywhere is refused, and the message names its format once it is known.
func TestGuestsCutOff(t *testing.T) {
	for _, name := range []string{"rgb.avif", "half.heic", "rgb.jxl", "container.jxl"} {
		file := testFile(t, name)
		for _, n := range []int{13, len(file) / 3, len(file) / 2, len(file) - 9, len(file) - 1} {
			if _, err := Decode(file[:n], Options{Width: 8, Height: 8}); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrUnsupported) {
				t.Errorf("%s, %d of %d bytes: %v", name, n, len(file), err)
			}
		}
	}
	empty := append([]byte("\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf"), make([]byte, 100)...)
	if _, err := Decode(empty, Options{}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "AVIF") {
		t.Error(err)
	}
}

// Wrong bytes make no guest crash the program, run for ever, or show pixels that are none.
func TestGuestsSpoilt(t *testing.T) {
	for _, name := range []string{"rgb.avif", "half.heic", "deep.jxl"} {
		file := testFile(t, name)
		for i := 12; i < len(file); i += 1 + len(file)/40 {
			bad := bytes.Clone(file)
			bad[i] ^= 0xff
			checkOptions(t, bad, Options{Channels: 3})
		}
	}
}

// A guest gets no more memory than its limit.
func TestGuestMemory(t *testing.T) {
	m := &guestMemory{limit: 1000}
	if b := m.Allocate(4000, 1<<32).Reallocate(900); len(b) != 900 {
		t.Fatalf("%d bytes", len(b))
	}
	m.bytes[5] = 7
	if b := m.Reallocate(1000); len(b) != 1000 || b[5] != 7 || cap(b) > 1000 {
		t.Errorf("%d bytes, room for %d", len(b), cap(b))
	}
	if b := m.Reallocate(1001); b != nil {
		t.Errorf("%d bytes above the limit", len(b))
	}
	big := testFile(t, "wide.heic")
	if _, _, err := heicGuest.call(big, 5, request{pixels: -300_000, bytes: 1 << 24}); !errors.Is(err, ErrDamaged) {
		t.Errorf("more than its memory: %v", err)
	}
}

// guestRuns bounds what the two runs of a guest take, for the header and the pixels. Each grows by
// half at a time, so that it takes up to three times the most that it has at once.
const guestRuns = 3 * (2*guestBytes + guestBytesPerPixel*fuzzPixels/2)

func fuzzGuest(f *testing.F, names ...string) {
	for _, name := range names {
		file := testFile(f, name)
		f.Add(file)
		f.Add(file[:len(file)*3/4])
		_, _ = Decode(file, Options{Width: 1, Height: 1}) // compiles the guest
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		bounded(t, len(file), guestRuns, func() { checkOptions(t, file, Options{Channels: 4}) })
	})
}

func FuzzAVIF(f *testing.F) {
	fuzzGuest(f, "rgb.avif", "alpha.avif", "turned6.avif", "deep.avif", "sequence.avif")
}

func FuzzHEIC(f *testing.F) {
	fuzzGuest(f, "half.heic", "exif6.heic", "gray.heic", "identity.heic", "deepgray.heic", "tv709.heic", "silent601.heic", "tvgrid.heic")
}

func FuzzJXL(f *testing.F) { fuzzGuest(f, "rgb.jxl", "lossy.jxl", "deep.jxl", "container.jxl") }

// Several goroutines may have the same guest decode at once.
func TestGuestsInParallel(t *testing.T) {
	file := testFile(t, "rgb.jxl")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if p, err := Decode(file, Options{}); err != nil || sides(p, 3) != turnedSides[1] {
				t.Errorf("%v", err)
			}
		})
	}
	group.Wait()
}
