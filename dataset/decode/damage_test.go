package decode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"slices"
	"strings"
	"testing"
)

// spoilt returns a chunk with a wrong checksum.
func spoilt(chunk []byte) []byte {
	chunk = slices.Clone(chunk)
	chunk[len(chunk)-1] ^= 1
	return chunk
}

// Damage that hides no pixel does not matter.
func TestHarmlessDamage(t *testing.T) {
	png, jpeg := encodedPNG(t, scene()), encodedJPEG(t, scene())
	at := bytes.Index(png, []byte("IDAT")) - 4
	data := png[at+8 : len(png)-16]
	split := slices.Concat(png[:at], pngChunk("IDAT", data[:10]), pngChunk("tEXt", []byte("a\x00b")), pngChunk("IDAT", data[10:]), png[len(png)-12:])
	scan := bytes.Index(jpeg, []byte{0xff, jpegSOS})
	for name, file := range map[string][]byte{
		"PNG, comment with a wrong checksum":  beforePixels(png, spoilt(pngChunk("tEXt", []byte("a\x00b")))),
		"PNG, profile that is none":           beforePixels(png, spoilt(pngChunk("iCCP", []byte("nonsense")))),
		"PNG, unknown chunk":                  beforePixels(png, spoilt(pngChunk("abCD", nil))),
		"PNG, transparency that does not fit": beforePixels(png, pngChunk("tRNS", []byte("abc"))),
		"PNG, comment among the pixels":       split,
		"PNG, bytes behind the end":           append(slices.Clone(png), "rubbish"...),
		"PNG without its end":                 png[:len(png)-12],
		"PNG without a checksum and its end":  png[:len(png)-15],
		"PNG, the end has a wrong checksum":   spoilt(png),
		"JPEG, bytes behind the end":          append(slices.Clone(jpeg), "rubbish"...),
		"JPEG without its end":                jpeg[:len(jpeg)-2],
		"JPEG, comments that are too short":   slices.Concat(jpeg[:2], []byte("\xff\xfe\x00\x01\xff\xe5\x00\x00"), jpeg[2:scan], []byte("\xff\xfe\x00\x00"), jpeg[scan:]),
		"JPEG, rubbish between segments":      slices.Concat(jpeg[:scan], []byte("rubbish"), jpeg[scan:]),
		"JPEG, rubbish before the end":        slices.Concat(jpeg[:len(jpeg)-2], []byte("rubbish"), jpeg[len(jpeg)-2:]),
	} {
		p, err := Decode(file, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := sides(p, 3); got != turnedSides[1] {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Damage among the pixels is said.
func TestDamage(t *testing.T) {
	png, jpeg := encodedPNG(t, testPattern(40, 40)), encodedJPEG(t, testPattern(80, 80))
	at := bytes.Index(png, []byte("IDAT"))
	wrong := slices.Clone(png)
	wrong[at+40] ^= 0x55
	for name, file := range map[string][]byte{
		"PNG cut in its pixels": png[:len(png)-60], "PNG with a wrong pixel": wrong, "PNG of a header alone": png[:at-4],
		"PNG without a header": png[:8], "PNG cut in its header": png[:20],
		"JPEG cut in its pixels": jpeg[:len(jpeg)-60], "JPEG of a header alone": jpeg[:200], "JPEG of nothing": jpeg[:3],
		"BMP cut": bmpScene()[:2000], "PNM cut": pnmOf("P6 40 24 255\n", scene(), 3)[:2000], "WebP cut": webpScene[:50],
		"TIFF cut": encodedTIFF(t, scene(), nil)[:2000],
	} {
		_, err := Decode(file, Options{})
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is whole and of a rare kind is called by its name.
func TestUnsupportedKinds(t *testing.T) {
	jpeg := encodedJPEG(t, image.NewGray(image.Rect(0, 0, 16, 16)))
	frame := bytes.Index(jpeg, []byte{0xff, 0xc0})
	withFrame := func(at int, value byte) []byte {
		file := slices.Clone(jpeg)
		file[frame+at] = value
		return file
	}
	plain := encodedTIFF(t, scene(), nil)
	bmp := func(at int, value uint32) []byte {
		file := bmpScene()
		binary.LittleEndian.PutUint32(file[at:], value)
		return file
	}
	preview := withTag(withTag(plain, tagSubfileType, 1), tagSubDirectory, 8)
	for _, c := range []struct {
		file []byte
		name string
	}{
		{withFrame(1, 0xc9), "arithmetic coding"}, {withFrame(1, 0xca), "arithmetic coding"},
		{withFrame(1, 0xc3), "lossless JPEG"}, {withFrame(1, 0xc5), "hierarchical JPEG"}, {withFrame(1, 0xcd), "hierarchical JPEG"},
		{withFrame(1, jpegLS), "JPEG-LS"}, {withFrame(4, 12), "JPEG of 12 bits"}, {withFrame(9, 2), "JPEG of 2 components"},
		{withTag(plain, tagCompression, 7), "TIFF compressed by JPEG"}, {withTag(plain, tagCompression, 50000), "Zstandard"},
		{withTag(plain, tagCompression, 999), "TIFF of a rare kind"},
		{withTag(plain, tagPhotometric, 5), "CMYK"}, {withTag(plain, tagPhotometric, 6), "YCbCr"},
		{withTag(plain, tagPlanar, 2), "planes"}, {withTag(plain, tagSampleFormat, 3), "not whole"},
		{withTag(plain, tagBits, 12), "TIFF of 12 bits"}, {withTag(plain, tagExtraSamples, 0), "TIFF of 4 samples"},
		{withTag(plain, tagDNGVersion, 1), "camera raw"}, {preview, "camera raw"},
		{bmp(30, 1), "BMP of 32 bits"}, {bmp(30, 6), "compression 6"}, {bmp(30, 4), "a JPEG inside"}, {bmp(30, 5), "a PNG inside"},
		{bmp(14, 16), "OS/2"}, {bmp(28, 20), "BMP of 20 bits"},
		{slices.Concat([]byte(pngMagic), pngChunk("CgBI", []byte("abcd"))), "CgBI"},
		{[]byte("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 5\nMAXVAL 255\nENDHDR\nabcde"), "PAM of 5 samples"},
	} {
		_, err := Decode(c.file, Options{})
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.name) || strings.Contains(err.Error(), "damage") ||
			!strings.Contains(err.Error(), "convert it to PNG") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
