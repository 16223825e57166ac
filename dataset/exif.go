package dataset

import (
	"bytes"
	"encoding/binary"
)

const (
	jpegStartOfScan = 0xda
	jpegAPP1        = 0xe1
	exifOrientation = 274 // the tag
	exifShort       = 3   // the type of its value
)

// jpegOrientation returns how the Exif data of a photo says that it must be turned, 1 (not at all)
// to 8. It is 1 when the photo has no Exif data, or wrong data.
func jpegOrientation(file []byte) int {
	rest := file[min(2, len(file)):] // behind the start marker
	// A segment is 0xff, a marker, and a length that counts itself. The first scan ends them.
	for len(rest) >= 4 && rest[0] == 0xff && rest[1] != jpegStartOfScan {
		if rest[1] == 0xff { // padding
			rest = rest[1:]
			continue
		}
		length := int(binary.BigEndian.Uint16(rest[2:]))
		if length < 2 || 2+length > len(rest) {
			return 1
		}
		if tiff, ok := bytes.CutPrefix(rest[4:2+length], []byte("Exif\x00\x00")); ok && rest[1] == jpegAPP1 {
			return tiffOrientation(tiff)
		}
		rest = rest[2+length:]
	}
	return 1
}

// tiffOrientation finds the tag in the first directory, which is a count and entries of 12 bytes
// each.
func tiffOrientation(tiff []byte) int {
	var order binary.ByteOrder = binary.LittleEndian
	if bytes.HasPrefix(tiff, []byte("MM")) {
		order = binary.BigEndian
	}
	if len(tiff) < 8 {
		return 1
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 1
		}
		if order.Uint16(entries) == exifOrientation && order.Uint16(entries[2:]) == exifShort {
			if v := order.Uint16(entries[8:]); v >= 1 && v <= 8 {
				return int(v)
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}
