package dataset

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"runtime"
	"testing"
)

// bounded runs f. It fails when f takes more memory in all than 4 times the input and 16 MiB.
func bounded(t *testing.T, input int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(4*input+16<<20); got > limit {
		t.Errorf("%d bytes were allocated for an input of %d, more than %d", got, input, limit)
	}
}

// fuzzLimits are smaller than usualLimits, as the inputs of a fuzzer are smaller than real files.
// Pixels that a header claims, and bytes that an archive unpacks to, fit into the memory that
// bounded allows.
var fuzzLimits = limits{pixels: 1 << 18, fileBytes: 1 << 20, unpacked: 1 << 20}

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

// hugePNG is a header that claims 60000x60000 pixels and is otherwise right.
func hugePNG() []byte { return pngClaiming(60_000, 60_000) }

func pngClaiming(w, h uint32) []byte {
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, w)
	chunk = binary.BigEndian.AppendUint32(chunk, h)
	chunk = append(chunk, 8, 6, 0, 0, 0)
	file := binary.BigEndian.AppendUint32([]byte("\x89PNG\r\n\x1a\n"), 13)
	return binary.BigEndian.AppendUint32(append(file, chunk...), crc32.ChecksumIEEE(chunk))
}

// withOrientation puts Exif data behind the start of a JPEG.
func withOrientation(jpeg []byte, orientation uint16, big bool) []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	tiff := []byte("II*\x00")
	if big {
		order, tiff = binary.BigEndian, []byte("MM\x00*")
	}
	tiff = order.AppendUint32(tiff, 8) // the directory follows
	tiff = order.AppendUint16(tiff, 2)
	for _, entry := range [][2]uint16{{256, 77}, {exifOrientation, orientation}} {
		tiff = order.AppendUint16(tiff, entry[0])
		tiff = order.AppendUint16(tiff, exifShort)
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, entry[1])
		tiff = append(tiff, 0, 0)
	}
	tiff = append(tiff, 0, 0, 0, 0)
	segment := append([]byte("Exif\x00\x00"), tiff...)
	file := append([]byte{0xff, 0xd8, 0xff, jpegAPP1}, byte((len(segment)+2)>>8), byte(len(segment)+2))
	return append(append(file, segment...), jpeg[2:]...)
}

// FuzzPicture decodes anything. Nothing may panic. An accepted picture is a square of the right
// length.
func FuzzPicture(f *testing.F) {
	m := testPattern(20, 12)
	half := image.NewNRGBA(m.Rect)
	copy(half.Pix, m.Pix)
	for i := 3; i < len(half.Pix); i += 8 {
		half.Pix[i] = 100
	}
	for _, file := range [][]byte{
		encodedPNG(f, m), encodedPNG(f, half), encodedPNG(f, paletted(9, 9)),
		encodedPNG(f, image.NewGray16(image.Rect(0, 0, 5, 7))),
		encodedJPEG(f, m), withOrientation(encodedJPEG(f, m), 6, false), withOrientation(encodedJPEG(f, m), 3, true),
		encodedGIF(f, paletted(12, 8)), webpFlat(3, 2, 255, 0, 0, 255), webpFlat(16383, 16383, 1, 2, 3, 4),
		hugePNG(), []byte("BM......"), nil,
	} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		bounded(t, len(file), func() {
			const side = 8
			p, err := readPicture(file, side, fuzzLimits.pixels, newRoom(fuzzLimits.pixels))
			if err == nil && (len(p.pixels) != 3*side*side || p.width < 1 || p.height < 1) {
				t.Errorf("accepted with %d bytes, %dx%d", len(p.pixels), p.width, p.height)
			}
		})
	})
}

// FuzzOrientation reads the Exif data of anything.
func FuzzOrientation(f *testing.F) {
	jpeg := encodedJPEG(f, testPattern(2, 2))
	f.Add(jpeg)
	f.Add(withOrientation(jpeg, 6, false))
	f.Add(withOrientation(jpeg, 8, true))
	f.Fuzz(func(t *testing.T, file []byte) {
		bounded(t, len(file), func() {
			if got := jpegOrientation(file); got < 1 || got > 8 {
				t.Errorf("orientation %d", got)
			}
		})
	})
}

// FuzzZip lists anything as an archive and reads the pictures in it. The list, and each of the
// files, may take as much memory as a parser.
func FuzzZip(f *testing.F) {
	picture := encodedPNG(f, testPattern(6, 6))
	f.Add(zipOf(f, map[string][]byte{"cat/1.png": picture, "dog/2.png": picture, "notes.txt": []byte("hello")}))
	f.Add(zipOf(f, map[string][]byte{"../../etc/passwd": picture, "/abs.png": picture, `a\b.png`: picture}))
	f.Add(zipOf(f, map[string][]byte{"zeros": make([]byte, 1<<16)}))
	f.Add(zipOf(f, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		var files []file
		bounded(t, len(data), func() {
			files, _ = listZip(bytes.NewReader(data), int64(len(data)), fuzzLimits)
		})
		if len(files) > 100 {
			files = files[:100]
		}
		for i := range files {
			bounded(t, len(data), func() {
				content, err := files[i].read(fuzzLimits.fileBytes)
				if err != nil {
					return
				}
				if len(content) > fuzzLimits.fileBytes {
					t.Errorf("%d bytes read", len(content))
				}
				_, _ = readPicture(content, 8, fuzzLimits.pixels, newRoom(fuzzLimits.pixels))
			})
		}
	})
}

// FuzzCIFAR reads anything as a batch. What is accepted consists of whole records.
func FuzzCIFAR(f *testing.F) {
	f.Add(cifarFile(0, 9))
	f.Add(cifarFile(10))
	f.Add(cifarFile(1)[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded(t, len(data), func() {
			s := &labelled{h: cifarSide, w: cifarSide, c: 3, classes: cifarClasses}
			err := readCIFAR(bytes.NewReader(data), s)
			if err == nil && (len(data) != cifarRecord*s.Len() || s.Len() == 0) {
				t.Errorf("%d images in %d bytes", s.Len(), len(data))
			}
		})
	})
}

// zipOf builds an archive.
func zipOf(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zipBomb builds an archive that claims a file of 128 MiB in a few bytes.
func zipBomb(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	_, err := w.CreateRaw(&zip.FileHeader{Name: "a.png", Method: zip.Deflate, UncompressedSize64: 1 << 27})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// cifarFile builds a batch with an image for each label. The numbers of pixel i in its planes are
// 3·i, 3·i+1 and 3·i+2.
func cifarFile(labels ...byte) []byte {
	var file []byte
	for _, label := range labels {
		file = append(file, label)
		for c := range 3 {
			for i := range cifarPlane {
				file = append(file, byte(3*i+c))
			}
		}
	}
	return file
}
