package decode

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image"
	"slices"
	"testing"

	"golang.org/x/image/tiff"
)

// turnedSides are the corners of a scene as each orientation leaves them: top left, top right,
// bottom left, bottom right.
var turnedSides = []string{1: "ggrb", 2: "ggbr", 3: "brgg", 4: "rbgg", 5: "grgb", 6: "rgbg", 7: "bgrg", 8: "gbgr"}

// carriers write a scene with Exif data, in each format that has a place for them.
func carriers(t testing.TB) map[string]func(data []byte) []byte {
	m := scene()
	jpeg, png := encodedJPEG(t, m), encodedPNG(t, m)
	prefixed := func(data []byte) []byte { return append([]byte(exifPrefix), data...) }
	text := func(data []byte) []byte {
		return fmt.Appendf(nil, "\nexif\n    %d\n%s\n", len(data)+6, hex.EncodeToString(prefixed(data)))
	}
	return map[string]func(data []byte) []byte{
		"JPEG": func(data []byte) []byte {
			xmp := jpegSegment(jpegAPP1, []byte("http://ns.adobe.com/xap/1.0/\x00<tiff:Orientation>3"))
			return slices.Concat(jpeg[:2], xmp, jpegSegment(jpegAPP1, prefixed(data)), jpeg[2:])
		},
		"JPEG with rubbish before it": func(data []byte) []byte {
			return slices.Concat(jpeg[:2], []byte("\xff\xfe\x00\x02rubbish\xff\x00"), jpegSegment(jpegAPP1, prefixed(data)), jpeg[2:])
		},
		"PNG": func(data []byte) []byte { return beforePixels(png, pngChunk("eXIf", data)) },
		"PNG, behind all": func(data []byte) []byte {
			return slices.Concat(png[:len(png)-12], pngChunk("eXIf", data), png[len(png)-12:])
		},
		"PNG, with prefix": func(data []byte) []byte { return beforePixels(png, pngChunk("eXIf", prefixed(data))) },
		"PNG as text": func(data []byte) []byte {
			return beforePixels(png, pngChunk("tEXt", append([]byte("Raw profile type exif\x00"), text(data)...)))
		},
		"PNG as packed text": func(data []byte) []byte {
			return beforePixels(png, pngChunk("zTXt", append([]byte("Raw profile type APP1\x00\x00"), packed(t, text(data))...)))
		},
		"WebP":              func(data []byte) []byte { return webpWithExif(webpScene, data) },
		"WebP, with prefix": func(data []byte) []byte { return webpWithExif(webpScene, prefixed(data)) },
	}
}

// packed compresses data as PNG does.
func packed(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := w.Write(data)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// webpScene is the scene in lossless WebP, written by Pillow 13.
var webpScene, _ = hex.DecodeString("5249464638000000574542505650384c2b0000002f27c0050017201048da1f7a8df9171014f93fdafc075f0a" +
	"c8a46d6a722667b3efd81dd1ff09c8dc1abf0200")

// webpWithExif puts a header for extensions, and Exif data at the end.
func webpWithExif(file, data []byte) []byte {
	body := riffChunk([]byte("WEBP"), "VP8X", []byte{8, 0, 0, 0, 39, 0, 0, 23, 0, 0})
	return riffChunk(nil, "RIFF", riffChunk(append(body, file[12:]...), "EXIF", data))
}

// Every format turns a picture as Exif says, whichever way Exif says it.
func TestOrientations(t *testing.T) {
	for name, carry := range carriers(t) {
		t.Run(name, func(t *testing.T) {
			for o := range uint16(10) {
				for _, form := range [][2]bool{{}, {true, false}, {false, true}, {true, true}} {
					p, err := Decode(carry(exif(o, form[0], form[1])), Options{})
					if err != nil {
						t.Fatal(err)
					}
					want := o
					if o < 1 || o > 8 {
						want = 1
					}
					if got := sides(p, 3); got != turnedSides[want] || (p.Width < p.Height) != (want > 4) {
						t.Errorf("orientation %d, %v: %s in %dx%d, want %s", o, form, got, p.Width, p.Height, turnedSides[want])
					}
				}
			}
			if _, err := Decode(carry([]byte("II*\x00\xff\xff\xff\xff")), Options{}); err != nil {
				t.Errorf("broken Exif data: %v", err)
			}
		})
	}
}

// The tag of TIFF itself is followed too.
func TestOrientationOfTIFF(t *testing.T) {
	for o := uint16(1); o < 9; o++ {
		p, err := Decode(withTag(encodedTIFF(t, scene(), nil), tagOrientation, o), Options{})
		if err != nil || sides(p, 3) != turnedSides[o] {
			t.Errorf("orientation %d: %v", o, err)
		}
	}
}

func encodedTIFF(t testing.TB, m image.Image, o *tiff.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tiff.Encode(&b, m, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withTag writes a TIFF whose directory has another tag, or another value of one. The directory
// moves to the end.
func withTag(file []byte, tag, value uint16) []byte {
	order := binary.LittleEndian
	at := order.Uint32(file[4:])
	n := int(order.Uint16(file[at:]))
	entry := order.AppendUint16(order.AppendUint16(nil, tag), tiffShort)
	entry = order.AppendUint32(entry, 1)
	entry = append(order.AppendUint16(entry, value), 0, 0)
	var list [][]byte
	for i := range n {
		if e := file[int(at)+2+12*i:][:12]; order.Uint16(e) != tag {
			list = append(list, e)
		}
	}
	list = append(list, entry)
	slices.SortFunc(list, func(a, b []byte) int { return int(order.Uint16(a)) - int(order.Uint16(b)) })
	out := append(slices.Clone(file), make([]byte, len(file)&1)...)
	order.PutUint32(out[4:], uint32(len(out)))
	out = order.AppendUint16(out, uint16(len(list)))
	return append(append(out, slices.Concat(list...)...), 0, 0, 0, 0)
}
