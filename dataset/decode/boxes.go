//go:build nodynamic

package decode

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"iter"
)

// boxes yields the boxes of ISO's base media format (ISO 14496-12, 4.2): a type and what is inside.
// The last one may be cut off.
func boxes(rest []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for len(rest) >= 8 {
			begin, end := uint64(8), uint64(binary.BigEndian.Uint32(rest))
			switch {
			case end == 0: // up to the end of the file
				end = uint64(len(rest))
			case end == 1 && len(rest) >= 16:
				begin, end = 16, binary.BigEndian.Uint64(rest[8:])
			}
			if end < begin {
				return
			}
			end = min(end, uint64(len(rest)))
			if !yield(string(rest[4:8]), rest[begin:end]) {
				return
			}
			rest = rest[end:]
		}
	}
}

// box returns what is inside the first box of a type, nil when there is none.
func box(data []byte, kind string) []byte {
	for k, inside := range boxes(data) {
		if k == kind {
			return inside
		}
	}
	return nil
}

// A heif has what the boxes of an AVIF or HEIC say of its main picture (ISO 23008-12).
type heif struct {
	orientation int    // what irot and imir come to, 1 to 8 as in Exif
	alpha       bool   // some picture of the file is the alpha of another one
	deep        byte   // the bits of a sample where HEIC's guest cannot take them, 0 where it can
	coding      coding // of HEIC's samples in YCbCr
	gray        coding // of HEIC's gray samples
}

// The names of the pictures that are alpha (ISO 23008-12, 6.5.8).
var alphaNames = [][]byte{
	[]byte("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"), []byte("urn:mpeg:hevc:2015:auxid:1"),
}

func readHEIF(file []byte) heif {
	h := heif{orientation: 1, coding: madeCoding, gray: madeCoding}
	meta := box(file, "meta")
	if len(meta) < 4 {
		return h
	}
	meta = meta[4:] // behind version and flags
	parts := box(meta, "iprp")
	p := pictures{iinf: box(meta, "iinf"), ipma: box(parts, "ipma")}
	for kind, data := range boxes(box(parts, "ipco")) {
		p.list = append(p.list, property{kind, data})
		for _, name := range alphaNames {
			h.alpha = h.alpha || kind == "auxC" && bytes.Contains(data, name)
		}
		if kind == "hvcC" {
			h.deep = max(h.deep, deepSamples(data))
		}
	}
	main := primary(box(meta, "pitm"))
	h.orientation = orientationBy(p.properties(main))
	h.coding, h.gray = p.codings(main)
	return h
}

// orientationBy returns what irot and imir come to.
func orientationBy(list []property) int {
	angle, mirror := byte(0), byte(noMirror)
	for _, p := range list {
		if len(p.data) < 1 {
			continue
		}
		switch p.kind {
		case "irot":
			angle = p.data[0] & 3
		case "imir":
			mirror = p.data[0] & 1
		}
	}
	return turns[angle][mirror]
}

// Pictures have properties.
type pictures struct {
	list       []property
	iinf, ipma []byte
}

// properties returns those of a picture.
func (p *pictures) properties(picture uint32) []property {
	var list []property
	for _, index := range associations(p.ipma, picture) {
		if index >= 1 && index <= len(p.list) {
			list = append(list, p.list[index-1])
		}
	}
	return list
}

// The codings of HEIC's samples that no box tells. The guest has made samples for all pixels and
// averages of these before it returns them, so that they run into each other already.
var (
	// silentCoding is that of HEVC which does not say it (ITU-T H.265, E.3.1). Its matrix is
	// libheif's.
	silentCoding = coding{matrix: matrixBT601}
	// madeCoding is that of samples which the guest makes of colours.
	madeCoding = coding{matrix: matrixBT601, full: true}
)

// codings returns how the samples of a picture in YCbCr and in gray stand for colours: as its box
// of colours says, or else its stream. Where a picture is made of others, such as the tiles of a
// grid, the guest makes colours of these, and samples of the colours.
func (p *pictures) codings(picture uint32) (colours, gray coding) {
	if p.kind(picture) != "hvc1" {
		return madeCoding, madeCoding
	}
	var told, stream *coding
	for _, one := range p.properties(picture) {
		switch {
		case one.kind == "colr" && told == nil:
			told = boxCoding(one.data)
		case one.kind == "hvcC":
			stream = streamCoding(one.data)
		}
	}
	colours = *cmp.Or(told, stream, &silentCoding)
	if colours.matrix == matrixUnspecified {
		colours.matrix = matrixBT601
	}
	// libheif neither makes nor takes gray samples of less than the full range, also where it
	// writes a box that says so. The stream knows better.
	gray.full = told == nil && stream == nil || told != nil && told.full || stream != nil && stream.full
	return colours, gray
}

// kind returns the type of a picture (ISO 14496-12, 8.11.6), empty where it is not told.
func (p *pictures) kind(picture uint32) string {
	if len(p.iinf) < 8 {
		return ""
	}
	entries := p.iinf[6:] // behind version, flags and their number
	if p.iinf[0] > 0 {
		entries = p.iinf[8:]
	}
	for kind, data := range boxes(entries) {
		if kind != "infe" || len(data) < 12 {
			continue
		}
		if data[0] == 2 && uint32(binary.BigEndian.Uint16(data[4:])) == picture {
			return string(data[8:12])
		}
		if data[0] == 3 && len(data) >= 14 && binary.BigEndian.Uint32(data[4:]) == picture {
			return string(data[10:14])
		}
	}
	return ""
}

// boxCoding reads a box of colours (ISO 14496-12, 12.1.5). It is nil for a profile, and for a box
// that leaves all open: libheif goes by the stream then.
func boxCoding(colr []byte) *coding {
	const kind, open = "nclx", "\x00\x02\x00\x02\x00\x02"
	rest, ok := bytes.CutPrefix(colr, []byte(kind))
	if !ok || len(rest) <= len(open) {
		return nil
	}
	c := coding{matrix: int(binary.BigEndian.Uint16(rest[4:])), full: rest[len(open)]&0x80 != 0}
	if c.full && string(rest[:len(open)]) == open {
		return nil
	}
	return &c
}

// deepSamples returns the bits of a sample of HEVC (ISO 14496-15, 8.3.3.1) where the guest returns
// other samples than the size that it tells: more than 8 bits of gray, and of colours as large as
// the picture. It is 0 for others.
func deepSamples(hvcC []byte) byte {
	const chroma, lumaBits, gray, full = 16, 17, 0, 3
	if len(hvcC) <= lumaBits {
		return 0
	}
	bits, format := 8+hvcC[lumaBits]&7, hvcC[chroma]&3
	if bits == 8 || format != gray && format != full {
		return 0
	}
	return bits
}

// A property of a picture is a box.
type property struct {
	kind string
	data []byte
}

const noMirror = 2

// turns is the orientation by quarters turned to the left and by mirroring after that: 0 exchanges
// top and bottom, 1 left and right.
var turns = [4][3]int{{4, 2, 1}, {5, 7, 8}, {2, 4, 3}, {7, 5, 6}}

// primary returns the number of the main picture.
func primary(pitm []byte) uint32 {
	switch {
	case len(pitm) >= 6 && pitm[0] == 0:
		return uint32(binary.BigEndian.Uint16(pitm[4:]))
	case len(pitm) >= 8:
		return binary.BigEndian.Uint32(pitm[4:])
	}
	return 0
}

// associations returns the numbers of a picture's properties, from 1.
func associations(ipma []byte, picture uint32) []int {
	if len(ipma) < 8 {
		return nil
	}
	long, size := ipma[0] > 0, 1+int(ipma[3]&1)
	for rest := ipma[8:]; len(rest) >= 3; {
		id := uint32(binary.BigEndian.Uint16(rest))
		rest = rest[2:]
		if long && len(rest) >= 3 {
			id = id<<16 | uint32(binary.BigEndian.Uint16(rest))
			rest = rest[2:]
		}
		count := int(rest[0])
		rest = rest[1:]
		if count*size > len(rest) {
			return nil
		}
		if id != picture {
			rest = rest[count*size:]
			continue
		}
		list := make([]int, count)
		for i := range list {
			list[i] = int(rest[i*size] & 0x7f) // without the flag of what is essential
			if size == 2 {
				list[i] = list[i]<<8 | int(rest[2*i+1])
			}
		}
		return list
	}
	return nil
}
