package decode

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"strings"
	"testing"

	"golang.org/x/image/tiff"
)

// Formats are called by their names, whatever can be done with them.
func TestFormat(t *testing.T) {
	ftyp := func(brands ...string) string {
		body := "ftyp" + brands[0] + "\x00\x00\x00\x00" + strings.Join(brands, "")
		return "\x00\x00\x00" + string([]byte{byte(len(body) + 4)}) + body + "\x00\x00\x00\x08free"
	}
	for _, c := range []struct{ head, want string }{
		{pngMagic, "PNG"}, {"\xff\xd8\xff\xe0", "JPEG"}, {"GIF89a", "GIF"}, {"RIFF....WEBPVP8X", "WebP"},
		{"RIFF....AVI LIST", "AVI video"}, {"RIFF....WAVEfmt ", ""},
		{ftyp("avif"), "AVIF"}, {ftyp("avis", "avif"), "AVIF"}, {ftyp("mif1", "miaf", "avif"), "AVIF"},
		{ftyp("heic"), "HEIC"}, {ftyp("heix"), "HEIC"}, {ftyp("mif1", "heic"), "HEIC"}, {ftyp("mif1"), "HEIF"}, {ftyp("avci", "mif1"), "HEIF"},
		{ftyp("isom", "avc1"), "MP4 video"}, {ftyp("mp42"), "MP4 video"}, {ftyp("qt  "), "QuickTime video"}, {ftyp("crx ", "isom"), "camera raw (Canon CR3)"},
		{"\xff\x0a", "JPEG XL"}, {"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"}, {"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"}, {"\xff\x4f\xff\x51", "JPEG 2000"},
		{"II*\x00\x08\x00\x00\x00", "TIFF"}, {"MM\x00*\x00\x00\x00\x08", "TIFF"}, {"II+\x00", "BigTIFF"}, {"II*\x00\x10\x00\x00\x00CR\x02\x00", "camera raw (Canon CR2)"},
		{"P5 1 1 255 ", "PNM"}, {"P1#", "PNM"}, {"P7\nWIDTH", "PNM"}, {"PF\n1 1\n", "PFM"}, {"P9 1", ""}, {"Pictures", ""}, {"P5", ""},
		{"8BPS\x00\x01", "Photoshop (PSD)"}, {"v/1\x01", "OpenEXR"}, {"#?RADIANCE\n", "Radiance HDR"}, {"DDS \x7c\x00\x00\x00", "DDS"}, {"qoif", "QOI"},
		{"%PDF-1.7", "PDF"}, {"%!PS-Adobe", "PostScript"}, {"\x1aE\xdf\xa3", "WebM or Matroska video"}, {"gimp xcf ", "GIMP (XCF)"},
		{"<svg xmlns=", "SVG"}, {"\xef\xbb\xbf <?xml version=\"1.0\"?>\n<!-- a -->\n<svg ", "SVG"}, {"<?xml version=\"1.0\"?><note/>", ""}, {"<html><svg>", ""},
		{"\x00\x00\x01\x00\x01\x00\x10\x10\x00\x00\x01\x00\x20\x00\x10\x00\x00\x00\x16\x00\x00\x00", "ICO"},
		{"\x00\x00\x02\x00\x01\x00\x10\x10\x00\x00\x01\x00\x20\x00\x10\x00\x00\x00\x16\x00\x00\x00", "CUR"},
		{strings.Repeat("\x00", 128) + "DICM", "DICOM"}, {"BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00", "BMP"}, {"BMW is a car, no picture", ""},
		{"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", "DICOM"}, {"\x5c\x01\x00\x00" + strings.Repeat("\x00", 340) + "n+1\x00", "NIfTI"}, {"NRRD0004\n", "NRRD"},
		{"ObjectType = Image\nNDims = 3", "MetaImage"}, {"\x01\x00\x09\x00\x00\x03", "WMF"}, {"RIFF....ACONLIST", "animated cursor (ANI)"},
		{"#define a_width 8\n#define a_height 8\nstatic char a_bits[] = {", "XBM"}, {"#define A_width 8\n", ""},
		{"\x80\x00\x00\x00\xe0\xa5" + strings.Repeat("\x00", 122), "Aseprite"}, {"RPGMV\x00\x00\x00\x00\x03\x01", "encrypted picture of RPG Maker"},
		{"\x89PNG\n\x1a\n\x00\x00", "PNG that was copied as text"}, {"\x89PNG\r\r\n\x1a\r\n", "PNG that was copied as text"}, {"\xef\xbf\xbdPNG\r\n\x1a\n", "PNG that was copied as text"},
		{"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x00\x10JFIF", "JPEG that was copied as text"},
		{"\x00\x00\x02" + strings.Repeat("\x00", 9) + "\x40\x00\x30\x00\x18\x20", "TGA"}, {"\x05\x00\x0b" + strings.Repeat("\x00", 9) + "\x40\x00\x30\x00\x08\x00", "TGA"},
		{"\x00\x01\x01\x00\x00\x00\x01\x18\x00\x00\x00\x00\x40\x00\x30\x00\x08\x00", "TGA"},
		{"\x00\x00\x02" + strings.Repeat("\x00", 9) + "\x40\x00\x30\x00\x17\x20", ""}, {"\x00\x00\x02" + strings.Repeat("\x00", 9) + "\x00\x00\x30\x00\x18\x20", ""},
		{"\x00\x01\x02" + strings.Repeat("\x00", 9) + "\x40\x00\x30\x00\x18\x20", ""}, {strings.Repeat("\x00", 40), ""},
		{"hello", ""}, {"", ""},
	} {
		name, canRead := Format([]byte(c.head))
		if name != c.want {
			t.Errorf("%q is called %q, want %q", c.head, name, c.want)
		}
		err := Check([]byte(c.head))
		switch {
		case canRead && err != nil, !canRead && name != "" && !errors.Is(err, ErrUnsupported), name == "" && !errors.Is(err, ErrNoPicture):
			t.Errorf("%q: %v", c.head, err)
		case errors.Is(err, ErrUnsupported) && !(strings.Contains(err.Error(), name) && strings.Contains(err.Error(), "PNG")):
			t.Errorf("%q: %v, which names no cure", c.head, err)
		}
	}
	if got := Readable("or"); !strings.HasPrefix(got, "PNG, JPEG, GIF, WebP, BMP, PNM") || !strings.HasSuffix(got, " or TIFF") {
		t.Errorf("readable: %s", got)
	}
}

// Large pages of one colour take few bytes, and are read.
func TestLargePagesOfOneColour(t *testing.T) {
	const side = 3000
	white := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	tiffFile := encodedTIFF(t, white, &tiff.Options{Compression: tiff.Deflate})
	for name, file := range map[string][]byte{
		"PNG": encodedPNG(t, white), "GIF": encodedGIF(t, white), "WebP": webpFlat(side, side, 255, 255, 255, 255), "TIFF": tiffFile,
		"JPEG": encodedJPEG(t, image.NewGray(white.Rect)),
	} {
		p, err := Decode(file, Options{Width: 2, Height: 2, Room: NewRoom(defaultPixels)})
		if err != nil || p.Width != side || p.Height != side || !p.Gray {
			t.Errorf("%s in %d bytes: %v", name, len(file), err)
		}
		if _, err := Decode(file, Options{Width: 2, Height: 2, MaxPixels: side*side - 1}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s above the limit: %v", name, err)
		}
	}
}

// CCITT's compressions call 1 black, though in these pictures it is white. The page is of 8 rows
// that are white by group 4: each is one bit, which says that it is like the row before it.
func TestFax(t *testing.T) {
	page := encodedTIFF(t, image.NewGray(image.Rect(0, 0, 8, 8)), nil)
	for _, c := range []struct {
		photometric uint16
		want        byte
	}{{0, 255}, {1, 0}} {
		file := bytes.Clone(page)
		file = withTag(withTag(withTag(file, tagBits, 1), tagCompression, 4), tagPhotometric, c.photometric)
		copy(file[8:], "\xff\x00\x10\x01\x00\x10\x01")
		p, err := Decode(file, Options{Channels: 1})
		if err != nil || p.Pixels[0] != c.want || p.Pixels[63] != c.want {
			t.Errorf("photometric %d: %v, %v", c.photometric, p.Pixels, err)
		}
	}
}
