package decode

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// HeadLen is the number of bytes at the beginning of a file that tell its format.
const HeadLen = 512

// The cures for what cannot be read.
const (
	usualCure = "convert it to PNG"
	frameCure = "save its frames as PNG"
	// slicesCure is for volumes.
	slicesCure = "save its slices as PNG"
	// textCure is for files that a copy has spoilt. Their bytes are lost.
	textCure = "copy the PNG or JPEG again, as binary data"
)

// A format is a format of pictures. Its first bytes tell it, whatever the file is called.
type format struct {
	name  string
	magic func(head []byte) bool // reports whether a file that begins with head has the format

	// open reads the header of a file. It is nil for pictures that cannot be read.
	open func(file []byte) (*stored, error)

	cure string // for pictures that cannot be read
}

var (
	listFormats sync.Once
	formatList  []format
)

// formats returns the formats of pictures. The first whose magic fits a file is that of the file.
// The list is made once, as each file is looked up in it.
func formats() []format {
	listFormats.Do(func() { formatList = newFormats() })
	return formatList
}

func newFormats() []format {
	return slices.Concat([]format{
		{name: "PNG", magic: begins(pngMagic), open: openPNG},
		{name: "JPEG", magic: begins("\xff\xd8\xff"), open: openJPEG},
		{name: "GIF", magic: begins("GIF87a", "GIF89a"), open: openGIF},
		{name: "WebP", magic: isWebP, open: openWebP},
		{name: "BMP", magic: isBMP, open: openBMP},
		{name: "PNM", magic: isPNM, open: openPNM},
	}, guests, rawPhotos, []format{
		{name: "TIFF", magic: begins("II*\x00", "MM\x00*"), open: openTIFF},
	}, unread)
}

// has reports whether a text is at a place of a file that begins with head.
func has(head []byte, at int, text string) bool {
	return len(head) >= at+len(text) && string(head[at:at+len(text)]) == text
}

// begins returns the magic of files that begin with one of some texts.
func begins(texts ...string) func(head []byte) bool {
	return func(head []byte) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return has(head, 0, text) })
	}
}

// find tells the format of a file by its first bytes. It is nil for a file that is not a picture.
func find(head []byte) *format {
	head = head[:min(len(head), HeadLen)]
	list := formats()
	if i := slices.IndexFunc(list, func(f format) bool { return f.magic(head) }); i >= 0 {
		return &list[i]
	}
	return nil
}

// readable is [find] with an error for what cannot be read.
func readable(head []byte) (*format, error) {
	f := find(head)
	switch {
	case f == nil && len(head) == 0:
		return nil, fmt.Errorf("%w: the file is empty", ErrNoPicture)
	case f == nil:
		return nil, ErrNoPicture
	case f.open == nil:
		return nil, fmt.Errorf("%w: %s: %s", ErrUnsupported, f.name, f.cure)
	}
	return f, nil
}

// Format tells the format of a file by its first HeadLen bytes, and whether files of that format
// can be read. The name is empty for what is not a picture.
func Format(head []byte) (name string, canRead bool) {
	f := find(head)
	if f == nil {
		return "", false
	}
	return f.name, f.open != nil
}

// Check returns nil for a file whose format can be read, by its first HeadLen bytes. Otherwise the
// error wraps ErrNoPicture or ErrUnsupported. It says the name of the format and what to do.
func Check(head []byte) error {
	_, err := readable(head)
	return err
}

// Readable names the formats that can be read, with a word before the last one.
func Readable(word string) string {
	var names []string
	for _, f := range formats() {
		if f.open != nil {
			names = append(names, f.name)
		}
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " " + word + " " + names[last]
}

// brands returns the brands of a file of ISO's base media format: its own one, then those that it
// is compatible with (ISO 14496-12, 4.3).
func brands(head []byte) []string {
	if !has(head, 4, "ftyp") || len(head) < 12 {
		return nil
	}
	list := []string{string(head[8:12])}
	end := min(len(head), int(head[2])<<8|int(head[3]))
	for at := 16; at+4 <= end; at += 4 {
		list = append(list, string(head[at:at+4]))
	}
	return list
}

// branded returns the magic of files whose own brand is one of some, or is one of those for any
// codec while another brand is one of some.
func branded(names ...string) func(head []byte) bool {
	return func(head []byte) bool {
		list := brands(head)
		if len(list) == 0 {
			return false
		}
		if general := []string{"mif1", "msf1", "miaf", "mif2"}; !slices.Contains(general, list[0]) {
			list = list[:1]
		}
		return slices.ContainsFunc(list, func(b string) bool { return slices.Contains(names, b) })
	}
}

// The magic of formats that programs in WebAssembly decode.
var (
	isAVIF = branded("avif", "avis")
	isHEIC = branded("heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs")
	isJXL  = begins("\xff\x0a", "\x00\x00\x00\x0cJXL \r\n\x87\n")
)

// rawPhotos are those of cameras. Some look like TIFF, but their TIFF is a small preview.
var rawPhotos = []format{
	raw("Canon CR2", func(head []byte) bool { return has(head, 0, "II*\x00") && has(head, 8, "CR") }),
	raw("Canon CR3", branded("crx ")),
	raw("Fujifilm RAF", begins("FUJIFILMCCD-RAW")),
	raw("Olympus ORF", begins("IIRO", "IIRS", "MMOR")),
	raw("Panasonic RW2", begins("IIU\x00")),
	raw("Sigma X3F", begins("FOVb")),
	raw("Minolta MRW", begins("\x00MRM")),
}

func raw(name string, magic func(head []byte) bool) format {
	return format{name: "camera raw (" + name + ")", magic: magic, cure: "develop it to PNG or JPEG"}
}

// unread are the formats that are known, so that a message can name them.
var unread = []format{
	{name: "BigTIFF", magic: begins("II+\x00", "MM\x00+"), cure: usualCure},
	{name: "JPEG XR", magic: begins("II\xbc"), cure: usualCure},
	{name: "JPEG 2000", magic: isJPEG2000, cure: usualCure},
	{name: "HEIF", magic: branded("mif1", "msf1", "mif2", "avci", "avcs", "jpeg", "jpgs", "vvic", "j2ki"), cure: usualCure},
	{name: "Photoshop (PSD)", magic: begins("8BPS"), cure: "export it as PNG"},
	{name: "GIMP (XCF)", magic: begins("gimp xcf"), cure: "export it as PNG"},
	{name: "SVG", magic: isSVG, cure: "draw it to PNG"},
	{name: "PDF", magic: begins("%PDF"), cure: "save its pages as PNG"},
	{name: "PostScript", magic: begins("%!PS", "\xc5\xd0\xd3\xc6"), cure: "draw it to PNG"},
	{name: "WMF", magic: begins("\xd7\xcd\xc6\x9a", "\x01\x00\x09\x00\x00\x03"), cure: "draw it to PNG"},
	{name: "EMF", magic: func(head []byte) bool { return has(head, 0, "\x01\x00\x00\x00") && has(head, 40, " EMF") }, cure: "draw it to PNG"},
	{name: "DjVu", magic: begins("AT&TFORM"), cure: "save its pages as PNG"},
	{name: "OpenEXR", magic: begins("v/1\x01"), cure: usualCure},
	{name: "Radiance HDR", magic: begins("#?RADIANCE", "#?RGBE"), cure: usualCure},
	{name: "PFM", magic: func(head []byte) bool { return isNetpbm(head, "Ff") }, cure: usualCure},
	{name: "ICO", magic: func(head []byte) bool { return isIcon(head, 1) }, cure: usualCure},
	{name: "CUR", magic: func(head []byte) bool { return isIcon(head, 2) }, cure: usualCure},
	{name: "Apple icon (ICNS)", magic: begins("icns\x00"), cure: usualCure},
	{name: "QOI", magic: begins("qoif"), cure: usualCure},
	{name: "DDS", magic: begins("DDS \x7c\x00\x00\x00"), cure: usualCure},
	{name: "KTX", magic: begins("\xabKTX "), cure: usualCure},
	{name: "MNG", magic: begins("\x8aMNG\r\n\x1a\n"), cure: frameCure},
	{name: "JNG", magic: begins("\x8bJNG\r\n\x1a\n"), cure: usualCure},
	{name: "FLIF", magic: begins("FLIF"), cure: usualCure},
	{name: "BPG", magic: begins("BPG\xfb"), cure: usualCure},
	{name: "PCX", magic: isPCX, cure: usualCure},
	{name: "SGI", magic: begins("\x01\xda\x00\x01", "\x01\xda\x01\x01"), cure: usualCure},
	{name: "Sun raster", magic: begins("\x59\xa6\x6a\x95"), cure: usualCure},
	{name: "XPM", magic: begins("/* XPM */"), cure: usualCure},
	{name: "XBM", magic: isXBM, cure: usualCure},
	{name: "Aseprite", magic: func(head []byte) bool { return has(head, 4, "\xe0\xa5") && len(head) >= 128 }, cure: "export it as PNG"},
	{name: "Clip Studio", magic: begins("CSFCHUNK"), cure: "export it as PNG"},
	{name: "animated cursor (ANI)", magic: func(head []byte) bool { return has(head, 0, "RIFF") && has(head, 8, "ACON") }, cure: usualCure},
	{name: "texture (VTF)", magic: begins("VTF\x00"), cure: usualCure},
	{name: "texture (PVR)", magic: begins("PVR\x03"), cure: usualCure},
	{name: "texture (ASTC)", magic: begins("\x13\xab\xa1\x5c"), cure: usualCure},
	{name: "encrypted picture of RPG Maker", magic: begins("RPGMV\x00\x00\x00"), cure: "decrypt it to PNG"},
	{name: "DICOM", magic: isDICOM, cure: usualCure},
	{name: "FITS", magic: begins("SIMPLE  ="), cure: usualCure},
	{name: "NIfTI", magic: isNIfTI, cure: slicesCure},
	{name: "NRRD", magic: begins("NRRD000"), cure: slicesCure},
	{name: "MetaImage", magic: begins("ObjectType = Image", "NDims = "), cure: slicesCure},
	{name: "Zeiss CZI", magic: begins("ZISRAWFILE"), cure: usualCure},
	{name: "QuickTime video", magic: branded("qt  "), cure: frameCure},
	{name: "MP4 video", magic: func(head []byte) bool { return len(brands(head)) > 0 }, cure: frameCure},
	{name: "WebM or Matroska video", magic: begins("\x1aE\xdf\xa3"), cure: frameCure},
	{name: "AVI video", magic: func(head []byte) bool { return has(head, 0, "RIFF") && has(head, 8, "AVI ") }, cure: frameCure},
	{name: "Windows Media video", magic: begins("\x30\x26\xb2\x75\x8e\x66\xcf\x11"), cure: frameCure},
	{name: "Flash video", magic: begins("FLV\x01"), cure: frameCure},
	{name: "MPEG video", magic: begins("\x00\x00\x01\xba", "\x00\x00\x01\xb3"), cure: frameCure},
	{name: "Ogg video", magic: func(head []byte) bool { return has(head, 0, "OggS") && bytes.Contains(head, []byte("theora")) }, cure: frameCure},
	{name: "PNG that was copied as text", magic: begins(textPNG...), cure: textCure},
	{name: "JPEG that was copied as text", magic: begins("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x00\x10JFIF"), cure: textCure},
	{name: "TGA", magic: isTGA, cure: usualCure}, // the last, as it has no mark
}

// textPNG are the beginnings that PNG's first bytes become where they are taken for text: the line
// ends of another system, seven bits, or signs that are not known.
var textPNG = []string{
	"\x89PNG\n\x1a\n", "\x89PNG\r\r\n\x1a\r\n", "\x89PNG\r\n\x1a\r\n", "\x89PNG\r\x1a\r", "\x09PNG\r\n\x1a\n",
	"\xef\xbf\xbdPNG\r\n\x1a\n", "\xef\xbf\xbdPNG\n\x1a\n", "\xc2\x89PNG\r\n\x1a\n", "?PNG\r\n\x1a\n",
}

// isDICOM looks for the mark, or for the first elements of files that lack it: of group 2 or 8,
// with a known length of the group or the characters' name.
func isDICOM(head []byte) bool {
	return has(head, 128, "DICM") || begins("\x02\x00\x00\x00UL\x04\x00", "\x08\x00\x00\x00\x04\x00\x00\x00",
		"\x08\x00\x05\x00CS", "\x08\x00\x00\x00UL\x04\x00", "\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR", "\x08\x00\x08\x00CS")(head)
}

// isNIfTI looks for the length of the header and for the mark at its end.
func isNIfTI(head []byte) bool {
	return begins("\x5c\x01\x00\x00", "\x00\x00\x01\x5c")(head) && (has(head, 344, "n+1\x00") || has(head, 344, "ni1\x00")) ||
		has(head, 4, "n+2\x00\r\n\x1a\n")
}

func isXBM(head []byte) bool {
	return has(head, 0, "#define ") && bytes.Contains(head, []byte("_width ")) && bytes.Contains(head, []byte("_bits[]"))
}

// isTGA takes a header that makes sense for TGA, which has no mark at its beginning: a type of
// picture, a palette only where the type has one, and a size.
func isTGA(head []byte) bool {
	if len(head) < 18 {
		return false
	}
	palette, kind, bits, flags := head[1], head[2], head[16], head[17]
	colours := slices.Contains([]byte{15, 16, 24, 32}, bits)
	switch {
	case head[12]|head[13] == 0 || head[14]|head[15] == 0 || flags&0xc0 != 0 || flags&15 > 8:
		return false
	case kind == 1 || kind == 9:
		return palette == 1 && (bits == 8 || bits == 16) && slices.Contains([]byte{15, 16, 24, 32}, head[7])
	case palette != 0 || string(head[3:8]) != "\x00\x00\x00\x00\x00":
		return false
	}
	return (kind == 2 || kind == 10) && colours || (kind == 3 || kind == 11) && (bits == 8 || bits == 16)
}

func isJPEG2000(head []byte) bool {
	return begins("\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51")(head)
}

// isSVG looks for the element, behind any declaration and comment.
func isSVG(head []byte) bool {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if bytes.HasPrefix(text, []byte("<svg")) {
		return true
	}
	xml := bytes.HasPrefix(text, []byte("<?xml")) || bytes.HasPrefix(text, []byte("<!--")) ||
		bytes.HasPrefix(text, []byte("<!DOCTYPE svg"))
	return xml && (bytes.Contains(text, []byte("<svg")) || bytes.Contains(text, []byte("DOCTYPE svg")))
}

// isIcon looks for a directory of a few pictures, whose first entry has a zero where it must.
func isIcon(head []byte, kind byte) bool {
	return len(head) >= 22 && has(head, 0, "\x00\x00"+string([]byte{kind})+"\x00") &&
		head[4] != 0 && head[5] == 0 && head[9] == 0
}

func isPCX(head []byte) bool {
	return len(head) >= 128 && head[0] == 10 && head[1] <= 5 && head[2] <= 1 && head[64] == 0 &&
		slices.Contains([]byte{1, 2, 4, 8}, head[3]) && head[65] >= 1 && head[65] <= 4
}

// isNetpbm reports whether a file begins with P, one of some digits or letters, and what must
// follow.
func isNetpbm(head []byte, kinds string) bool {
	return len(head) > 2 && head[0] == 'P' && strings.IndexByte(kinds, head[1]) >= 0 &&
		strings.IndexByte(" \t\r\n#", head[2]) >= 0
}
