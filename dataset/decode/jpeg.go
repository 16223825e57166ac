package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"iter"
	"slices"
)

// Markers of JPEG (ITU T.81, table B.1).
const (
	jpegDHT  = 0xc4
	jpegJPG  = 0xc8
	jpegDAC  = 0xcc
	jpegSOI  = 0xd8
	jpegEOI  = 0xd9
	jpegSOS  = 0xda
	jpegAPP1 = 0xe1
	jpegCOM  = 0xfe
	jpegLS   = 0xf7 // the frame of JPEG-LS (ITU T.87)
)

// jpegPixelsPerByte bounds the pixels of a file by its size: 8x8 of them take a bit at least. Twice
// as many are allowed.
const jpegPixelsPerByte = 1024

func openJPEG(file []byte) (*stored, error) {
	h := readJPEGHeader(file)
	if h.unsupported != "" {
		return nil, unsupported(h.unsupported)
	}
	file = withoutShortSegments(file)
	c, err := jpeg.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	if h.onePass && !bytes.Contains(file[len(file)-min(len(file), 2):], []byte{0xff, jpegEOI}) {
		// The end marker may be lost. Where pixels are lost too, the decoder notices it.
		file = append(slices.Clip(file), 0xff, jpegEOI)
	}
	return &stored{c.Width, c.Height, h.orientation, func() (image.Image, error) {
		return jpeg.Decode(bytes.NewReader(file))
	}, int(int64(c.Width) * int64(c.Height) / jpegPixelsPerByte)}, nil
}

// A jpegHeader is what the segments before the pixels say.
type jpegHeader struct {
	orientation int
	components  byte
	unsupported string // the kind of JPEG, where no decoder is here
	sequential  bool
	onePass     bool // the first scan has all pixels
}

func readJPEGHeader(file []byte) jpegHeader {
	h := jpegHeader{orientation: 1}
	exif := false
	for at, data := range jpegSegments(file) {
		marker := file[at]
		switch {
		case marker == jpegAPP1 && !exif && bytes.HasPrefix(data, []byte(exifPrefix)):
			h.orientation, exif = orientation(data), true
		case isJPEGFrame(marker) && len(data) >= 6 && h.unsupported == "":
			h.components, h.sequential = data[5], marker <= 0xc1
			h.unsupported = unsupportedJPEG(marker, data)
		case marker == jpegSOS && len(data) > 0:
			h.onePass = h.sequential && data[0] == h.components
		}
	}
	return h
}

// jpegSegments yields the segments up to the first scan: the place of the marker's second byte, and
// the data. As decoders do, it skips what lies between them.
func jpegSegments(file []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for rest := file[min(2, len(file)):]; ; {
			at := bytes.IndexByte(rest, 0xff)
			if at < 0 || len(rest) < at+4 {
				return
			}
			rest = rest[at:]
			marker := rest[1]
			if marker == 0xff { // padding
				rest = rest[1:]
				continue
			}
			if marker == 0 || marker >= 0xd0 && marker <= jpegEOI {
				rest = rest[2:]
				continue
			}
			length := int(binary.BigEndian.Uint16(rest[2:])) // counts itself
			if length < 2 && isJPEGSide(marker) {
				length = 2 // as libjpeg does
			}
			if length < 2 || 2+length > len(rest) {
				return
			}
			if !yield(len(file)-len(rest)+1, rest[4:2+length]) || marker == jpegSOS {
				return
			}
			rest = rest[2+length:]
		}
	}
}

// isJPEGSide reports whether a segment is of a program or a comment, which make no pixels.
func isJPEGSide(marker byte) bool { return marker >= 0xe0 && marker <= 0xef || marker == jpegCOM }

// withoutShortSegments leaves out the segments that make no pixels and whose length is too small to
// count itself. Viewers show such files, and the decoder would refuse them.
func withoutShortSegments(file []byte) []byte {
	var out []byte
	kept := 0 // bytes of the file that are in out or left out
	for at := range jpegSegments(file) {
		if isJPEGSide(file[at]) && binary.BigEndian.Uint16(file[at+1:]) < 2 {
			out = append(out, file[kept:at-1]...)
			kept = at + 3
		}
	}
	if kept == 0 {
		return file
	}
	return append(out, file[kept:]...)
}

func isJPEGFrame(marker byte) bool {
	return marker >= 0xc0 && marker <= 0xcf && marker != jpegDHT && marker != jpegJPG && marker != jpegDAC ||
		marker == jpegLS
}

// unsupportedJPEG names the kind of a frame that cannot be decoded. It is empty for others.
func unsupportedJPEG(marker byte, frame []byte) string {
	precision, height, components := frame[0], binary.BigEndian.Uint16(frame[1:]), frame[5]
	switch {
	case marker == jpegLS:
		return "JPEG-LS"
	case marker == 0xc3 || marker == 0xc7 || marker == 0xcb || marker == 0xcf:
		return "lossless JPEG"
	case marker >= 0xc5 && marker <= 0xc7 || marker >= 0xcd:
		return "hierarchical JPEG"
	case marker >= 0xc9:
		return "JPEG with arithmetic coding"
	case precision != 8:
		return fmt.Sprintf("JPEG of %d bits a sample", precision)
	case components != 1 && components != 3 && components != 4:
		return fmt.Sprintf("JPEG of %d components", components)
	case height == 0:
		return "JPEG that tells its height at its end"
	}
	return ""
}
