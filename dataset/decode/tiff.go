package decode

import (
	"bytes"
	"fmt"
	"image"

	"golang.org/x/image/tiff"
)

// Tags of TIFF (TIFF 6.0; TIFF/EP; the DNG specification).
const (
	tagSubfileType   = 254
	tagBits          = 258
	tagCompression   = 259
	tagPhotometric   = 262
	tagPlanar        = 284
	tagSubDirectory  = 330
	tagExtraSamples  = 338
	tagSampleFormat  = 339
	tagColourPattern = 33421
	tagDNGVersion    = 50706
)

var tiffCompressions = map[uint32]string{
	2: "CCITT's run lengths", 6: "JPEG", 7: "JPEG", 9: "JBIG", 10: "JBIG", 34661: "JBIG", 34712: "JPEG 2000",
	34887: "LERC", 34892: "JPEG", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
	32809: "ThunderScan", 32766: "NeXT's compression", 32771: "CCITT's run lengths",
}

var tiffColours = map[uint32]string{
	4: "a mask of transparency", 5: "CMYK colours", 6: "YCbCr colours", 8: "CIELab colours", 9: "ICCLab colours",
	10: "ITULab colours", 32844: "LogL colours", 32845: "LogLuv colours",
}

// openTIFF reads the first picture of the file.
func openTIFF(file []byte) (*stored, error) {
	d := firstDirectory(file)
	if name := unsupportedTIFF(d); name != "" {
		return nil, unsupported(name)
	}
	c, err := tiff.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	return &stored{c.Width, c.Height, orientation(file), func() (image.Image, error) {
		m, err := tiff.Decode(bytes.NewReader(file))
		if gray, ok := m.(*image.Gray); ok && isFax(d) {
			invert(gray.Pix)
		}
		return m, err
	}, 0}, nil
}

// isFax reports whether a picture is compressed by CCITT's groups 3 or 4 and has 0 for black. These
// compressions call black what is 1, and the decoder takes it for black whatever 1 is.
func isFax(d directory) bool {
	compression := d.value(tagCompression, 1)
	return (compression == 3 || compression == 4) && d.value(tagPhotometric, 0) == 1
}

func invert(pix []byte) {
	for i, v := range pix {
		pix[i] = 255 - v
	}
}

// unsupportedTIFF names the kind of a picture that cannot be read, as far as the directory tells.
// It is empty for others.
func unsupportedTIFF(d directory) string {
	bits := d.values(tagBits)
	colours := d.value(tagPhotometric, 0)
	compression := d.value(tagCompression, 1)
	switch {
	case d.has(tagDNGVersion), d.has(tagColourPattern), colours == 32803, colours == 34892,
		d.has(tagSubDirectory) && d.value(tagSubfileType, 0)&1 != 0: // what is here is a preview
		return "camera raw in a TIFF (DNG, NEF, ARW and others)"
	case tiffCompressions[compression] != "":
		return "TIFF compressed by " + tiffCompressions[compression]
	case tiffColours[colours] != "":
		return "TIFF with " + tiffColours[colours]
	case d.value(tagSampleFormat, 1) != 1:
		return "TIFF of numbers that are signed or not whole"
	case len(bits) > 1 && d.value(tagPlanar, 1) != 1:
		return "TIFF with planes of colours"
	case len(bits) > 0 && bits[0] != 1 && bits[0] != 8 && bits[0] != 16:
		return fmt.Sprintf("TIFF of %d bits a sample", bits[0])
	case colours != 2 && len(bits) > 1, len(bits) == 4 && d.value(tagExtraSamples, 0) != 1 && d.value(tagExtraSamples, 0) != 2,
		len(bits) == 2 || len(bits) > 4:
		return fmt.Sprintf("TIFF of %d samples a pixel", len(bits))
	}
	return ""
}
