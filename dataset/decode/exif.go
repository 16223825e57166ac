package decode

import (
	"bytes"
	"encoding/binary"
)

// The types of values in a directory of TIFF (TIFF 6.0, section 2) that hold whole numbers.
const (
	tiffByte  = 1
	tiffShort = 3
	tiffLong  = 4
)

// exifPrefix stands before the directory of Exif data in JPEG, and in some files of other formats.
const exifPrefix = "Exif\x00\x00"

// A directory is the first one of a TIFF file, which Exif data are too.
type directory struct {
	order   binary.ByteOrder
	file    []byte
	entries []byte // 12 bytes each
}

// firstDirectory finds the first directory. It is empty where the file is wrong.
func firstDirectory(tiff []byte) directory {
	d := directory{order: binary.LittleEndian, file: tiff}
	if bytes.HasPrefix(tiff, []byte("MM")) {
		d.order = binary.BigEndian
	}
	if len(tiff) < 8 {
		return d
	}
	at := uint64(d.order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return d
	}
	count := int(d.order.Uint16(tiff[at:]))
	entries := tiff[at+2:]
	d.entries = entries[:12*min(count, len(entries)/12)]
	return d
}

// values returns the whole numbers of a tag. It is nil for a tag that is not there, or of others.
func (d directory) values(tag uint16) []uint32 {
	for e := d.entries; len(e) > 0; e = e[12:] {
		if d.order.Uint16(e) != tag {
			continue
		}
		kind, count := d.order.Uint16(e[2:]), uint64(d.order.Uint32(e[4:]))
		size, ok := map[uint16]uint64{tiffByte: 1, tiffShort: 2, tiffLong: 4}[kind]
		if !ok || count > uint64(len(d.file)) {
			return nil
		}
		data := e[8:12]
		if size*count > 4 {
			at := uint64(d.order.Uint32(data))
			if at+size*count > uint64(len(d.file)) {
				return nil
			}
			data = d.file[at:]
		}
		return d.numbers(data, size, count)
	}
	return nil
}

func (d directory) numbers(data []byte, size, count uint64) []uint32 {
	list := make([]uint32, count)
	for i := range list {
		at := data[uint64(i)*size:]
		switch size {
		case 1:
			list[i] = uint32(at[0])
		case 2:
			list[i] = uint32(d.order.Uint16(at))
		default:
			list[i] = d.order.Uint32(at)
		}
	}
	return list
}

// has reports whether a tag is there, whatever the type of its value.
func (d directory) has(tag uint16) bool {
	for e := d.entries; len(e) > 0; e = e[12:] {
		if d.order.Uint16(e) == tag {
			return true
		}
	}
	return false
}

// value returns the first number of a tag, or what it is by default.
func (d directory) value(tag uint16, otherwise uint32) uint32 {
	if v := d.values(tag); len(v) > 0 {
		return v[0]
	}
	return otherwise
}

// tagOrientation is the tag that says how a picture must be turned (Exif 2.32, 4.6.4).
const tagOrientation = 274

// orientation returns how Exif data say that a picture must be turned, 1 (not at all) to 8. It is 1
// where they say nothing, or nonsense.
func orientation(exif []byte) int {
	exif = bytes.TrimPrefix(exif, []byte(exifPrefix))
	if !bytes.HasPrefix(exif, []byte("II")) && !bytes.HasPrefix(exif, []byte("MM")) {
		return 1
	}
	if v := firstDirectory(exif).value(tagOrientation, 1); v >= 1 && v <= 8 {
		return int(v)
	}
	return 1
}
