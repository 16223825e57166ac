package decode

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

func testFile(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// bounded runs f. It fails when f takes more memory in all than 4 times the input and 16 MiB, and
// what else it may take.
func bounded(t *testing.T, input, more int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(4*input+16<<20+more); got > limit {
		t.Errorf("%d bytes were allocated for an input of %d, more than %d", got, input, limit)
	}
}

// testPattern is a picture in which the colour depends on the place.
func testPattern(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, color.NRGBA{uint8(255 * x / w), uint8(255 * y / h), 128, 255})
		}
	}
	return m
}

func paletted(w, h int) *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, w, h), palette.Plan9)
	for i := range m.Pix {
		m.Pix[i] = uint8(7 * i)
	}
	return m
}

func encodedPNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodedJPEG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodedGIF(t testing.TB, m *image.Paletted) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gif.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// webpFlat builds a lossless WebP of one colour. Its prefix codes have one symbol each, so any
// number of pixels takes no bits (WebP Lossless Bitstream Specification).
func webpFlat(w, h int, red, green, blue, alpha uint) []byte {
	var bits []byte // the lowest bit of a byte first
	n := 0
	put := func(value uint, count int) {
		for i := range count {
			if n%8 == 0 {
				bits = append(bits, 0)
			}
			bits[n/8] |= byte(value>>i&1) << (n % 8)
			n++
		}
	}
	put(0x2f, 8)
	put(uint(w-1), 14)
	put(uint(h-1), 14)
	put(1, 1) // alpha is used
	put(0, 3) // version
	put(0, 3) // no transform, no colour cache, no meta prefix codes
	for _, symbol := range []uint{green, red, blue, alpha, 0} {
		put(0b101, 3) // simple; one symbol; of 8 bits
		put(symbol, 8)
	}
	bits = append(bits, make([]byte, 8-len(bits)%4)...) // the decoder reads ahead
	chunk := append([]byte("WEBPVP8L"), byte(len(bits)), 0, 0, 0)
	chunk = append(chunk, bits...)
	return append(append([]byte("RIFF"), byte(len(chunk)), 0, 0, 0), chunk...)
}

func pngClaiming(w, h uint32) []byte {
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, w)
	chunk = binary.BigEndian.AppendUint32(chunk, h)
	chunk = append(chunk, 8, 6, 0, 0, 0)
	file := binary.BigEndian.AppendUint32([]byte("\x89PNG\r\n\x1a\n"), 13)
	return binary.BigEndian.AppendUint32(append(file, chunk...), crc32.ChecksumIEEE(chunk))
}

// exif builds Exif data with a few tags. long stores the orientation in 32 bits.
func exif(orientation uint16, big, long bool) []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	data := []byte("II*\x00")
	if big {
		order, data = binary.BigEndian, []byte("MM\x00*")
	}
	data = order.AppendUint32(data, 8) // the directory follows
	data = order.AppendUint16(data, 2)
	for _, entry := range [][2]uint16{{256, 77}, {tagOrientation, orientation}} {
		data = order.AppendUint16(data, entry[0])
		if long {
			data = order.AppendUint32(order.AppendUint16(data, tiffLong), 1)
			data = order.AppendUint32(data, uint32(entry[1]))
			continue
		}
		data = order.AppendUint32(order.AppendUint16(data, tiffShort), 1)
		data = append(order.AppendUint16(data, entry[1]), 0, 0)
	}
	return append(data, 0, 0, 0, 0)
}

// jpegSegment builds a segment.
func jpegSegment(marker byte, data []byte) []byte {
	return append([]byte{0xff, marker, byte((len(data) + 2) >> 8), byte(len(data) + 2)}, data...)
}

// withOrientation puts Exif data behind the start of a JPEG.
func withOrientation(jpeg []byte, orientation uint16, big bool) []byte {
	data := append([]byte(exifPrefix), exif(orientation, big, false)...)
	return slices.Concat(jpeg[:2], jpegSegment(jpegAPP1, data), jpeg[2:])
}

// beforePixels puts chunks before the pixels of a PNG.
func beforePixels(png []byte, chunks ...[]byte) []byte {
	at := bytes.Index(png, []byte("IDAT")) - 4
	return slices.Concat(png[:at], slices.Concat(chunks...), png[at:])
}

// plainPNG is a picture of one colour.
func plainPNG(t testing.TB, w, h int, c color.NRGBA) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := 0; i < len(m.Pix); i += 4 {
		copy(m.Pix[i:], []byte{c.R, c.G, c.B, c.A})
	}
	return encodedPNG(t, m)
}

var red = color.NRGBA{255, 0, 0, 255}

// scene is a picture of 40x24 pixels that looks different in each orientation: green above, below
// that red at the left and blue at the right.
func scene() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 40, 24))
	for y := range 24 {
		for x := range 40 {
			c := color.NRGBA{0, 0, 255, 255}
			switch {
			case y < 8:
				c = color.NRGBA{0, 255, 0, 255}
			case x < 20:
				c = red
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

// sides names the colours at the top, the left, the right and the bottom of a scene that lies as
// some orientation left it. The colours of the last two rows or columns meet in the corners.
func sides(p Picture, channels int) string {
	at := func(x, y int) byte {
		c := p.Pixels[channels*(y*p.Width+x):][:3]
		return "rgb"[slices.Index(c, slices.Max(c))]
	}
	w, h := p.Width-1, p.Height-1
	return string([]byte{at(2, 2), at(w-2, 2), at(2, h-2), at(w-2, h-2)})
}

// patches are the colours of the pictures of patches: two rows of four.
var patches = [2][4][3]byte{
	{{255, 255, 255}, {0, 0, 0}, {128, 128, 128}, {255, 255, 0}}, {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {0, 255, 255}},
}

// patch returns the pixel in the middle of a patch.
func patch(p Picture, column, row int) []byte {
	x, y := p.Width*(2*column+1)/8, p.Height*(2*row+1)/4
	return p.Pixels[4*(y*p.Width+x):][:4]
}

// far returns the largest difference of the colours of two pixels.
func far(a, b []byte) int {
	most := 0
	for i := range 3 {
		most = max(most, int(a[i])-int(b[i]), int(b[i])-int(a[i]))
	}
	return most
}

// checkPatches compares with the patches. What an encoder with loss changed of them is 4 levels at
// most.
func checkPatches(t *testing.T, name string, p Picture) {
	t.Helper()
	for row := range patches {
		for column, want := range patches[row] {
			if got := patch(p, column, row); far(got, want[:]) > 4 {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
	}
}
