package decode

import (
	"bytes"
	"image"
	"slices"
	"testing"

	"golang.org/x/image/tiff"
)

// fuzzPixels is a smaller limit than usual, as the inputs of a fuzzer are smaller than real files.
// Pixels that a header claims fit into the memory that bounded allows.
const fuzzPixels = 1 << 18

// fuzzDecode decodes anything but what a guest reads, which has a bound of its own. Nothing may
// panic. An accepted picture has the right number of bytes.
func fuzzDecode(f *testing.F, seeds ...[]byte) {
	for _, file := range seeds {
		f.Add(file)
		f.Add(file[:len(file)*3/4])
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if !isAVIF(file) && !isHEIC(file) && !isJXL(file) {
			bounded(t, len(file), 0, func() { checkDecode(t, file) })
		}
	})
}

func checkDecode(t *testing.T, file []byte) {
	checkOptions(t, file, Options{Channels: 3})
	checkOptions(t, file, Options{Channels: 4, Fit: Pad, White: 4095})
}

func checkOptions(t *testing.T, file []byte, o Options) {
	t.Helper()
	o.Width, o.Height, o.MaxPixels, o.Room = 8, 6, fuzzPixels/2, NewRoom(fuzzPixels)
	p, err := Decode(file, o)
	if err == nil && (len(p.Pixels) != o.Channels*8*6 || p.Width < 1 || p.Height < 1) {
		t.Errorf("accepted with %d bytes, %dx%d", len(p.Pixels), p.Width, p.Height)
	}
	if o.Room.left != fuzzPixels {
		t.Errorf("%d pixels of room are lost", fuzzPixels-o.Room.left)
	}
}

func FuzzPNG(f *testing.F) {
	m := testPattern(20, 12)
	half := image.NewNRGBA(m.Rect)
	copy(half.Pix, m.Pix)
	for i := 3; i < len(half.Pix); i += 8 {
		half.Pix[i] = 100
	}
	fuzzDecode(f, encodedPNG(f, m), encodedPNG(f, half), encodedPNG(f, paletted(9, 9)),
		encodedPNG(f, image.NewGray16(image.Rect(0, 0, 5, 7))), pngClaiming(60_000, 60_000),
		beforePixels(encodedPNG(f, m), pngChunk("eXIf", exif(6, true, true)), spoilt(pngChunk("tEXt", nil))))
}

func FuzzJPEG(f *testing.F) {
	jpeg := encodedJPEG(f, testPattern(20, 12))
	fuzzDecode(f, jpeg, withOrientation(jpeg, 6, false), withOrientation(jpeg, 3, true),
		encodedJPEG(f, image.NewGray(image.Rect(0, 0, 9, 9))))
}

func FuzzGIF(f *testing.F) {
	small := gifOf(f, 30, 20, image.Rect(3, 4, 10, 12))
	fuzzDecode(f, encodedGIF(f, paletted(12, 8)), small, slices.Concat(small[:13], emptyFrame, small[13:]))
}

func FuzzWebP(f *testing.F) {
	fuzzDecode(f, webpFlat(3, 2, 255, 0, 0, 255), webpFlat(16383, 16383, 1, 2, 3, 4), webpScene,
		testFile(f, "lossy.webp"), testFile(f, "lossyalpha.webp"),
		webpWithExif(webpScene, exif(5, false, false)), webpAnimation(webpScene, 60, 50, 4, 6))
}

func FuzzBMP(f *testing.F) {
	fuzzDecode(f, bmpScene(), []byte("BM......"))
	for _, c := range bmpKinds() {
		f.Add(c.file)
	}
}

func FuzzTIFF(f *testing.F) {
	plain := encodedTIFF(f, scene(), nil)
	fuzzDecode(f, plain, withTag(plain, tagOrientation, 6), encodedTIFF(f, paletted(9, 9), nil),
		encodedTIFF(f, image.NewGray16(image.Rect(0, 0, 5, 7)), &tiff.Options{Compression: tiff.Deflate, Predictor: true}))
}

func FuzzPNM(f *testing.F) {
	fuzzDecode(f, []byte("P1 3 2 101 010"), []byte("P2 #\n 2 1 4095 7 8"), []byte("P4 9 1 \x80\x00"), pnmOf("P6 40 24 255\n", scene(), 3),
		[]byte("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 2\nMAXVAL 65535\nENDHDR\nabcd"))
}

// FuzzOrientation reads the Exif data of anything.
func FuzzOrientation(f *testing.F) {
	f.Add(exif(6, false, false))
	f.Add(exif(8, true, true))
	f.Add(append([]byte(exifPrefix), exif(3, true, false)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded(t, len(data), 0, func() {
			for _, got := range []int{orientation(data), profileOrientation("tEXt", data)} {
				if got < 1 || got > 8 {
					t.Errorf("orientation %d", got)
				}
			}
		})
	})
}

// FuzzHead tells the format of anything.
func FuzzHead(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif"))
	f.Add(bytes.Repeat([]byte{0}, HeadLen))
	f.Fuzz(func(t *testing.T, head []byte) {
		if name, canRead := Format(head); canRead && (name == "" || Check(head) != nil) {
			t.Errorf("%q can be read: %v", name, Check(head))
		}
	})
}
