package decode

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"math"
	"strings"
)

const (
	pngMagic = "\x89PNG\r\n\x1a\n"

	// deflateRatio is the most that deflate can pack into a byte (zlib's technical details).
	deflateRatio = 1032
	// profileBytes bounds a profile that a PNG holds as text. Exif data have at most 64 KiB, and
	// two digits a byte.
	profileBytes = 1 << 18
)

// openPNG takes only the chunks that make the pixels: a decoder stumbles over damage in the others,
// which no viewer needs. The default image of an animation is the picture.
func openPNG(file []byte) (*stored, error) {
	p, err := pngChunks(file)
	if err != nil {
		return nil, err
	}
	clean := p.join()
	c, err := png.DecodeConfig(bytes.NewReader(clean))
	if err != nil {
		return nil, err
	}
	samples := map[byte]uint64{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[p.colour()]
	row := (uint64(c.Width)*samples*uint64(p.header[8]) + 7) / 8
	least := min(row*uint64(c.Height)/deflateRatio, math.MaxInt32)
	return &stored{c.Width, c.Height, p.orientation, func() (image.Image, error) {
		return png.Decode(bytes.NewReader(clean))
	}, int(least)}, nil
}

// A pngFile is what a PNG says about its pixels.
type pngFile struct {
	header       []byte // the data of IHDR
	palette      []byte // the whole chunk, as are the elements of data
	transparency []byte // the data of tRNS
	data         [][]byte
	orientation  int
}

// colour is the type of the colours: 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGBA.
func (p *pngFile) colour() byte { return p.header[9] }

// pngChunks walks through the chunks, up to the last one or to the end of the file.
func pngChunks(file []byte) (*pngFile, error) {
	p := &pngFile{orientation: 1}
	for rest := file[len(pngMagic):]; len(rest) >= 8; {
		kind, end := string(rest[4:8]), 8+uint64(binary.BigEndian.Uint32(rest))
		whole := end+4 <= uint64(len(rest))
		data := rest[8:min(end, uint64(len(rest)))]
		chunk := pngChunk(kind, data)
		if whole {
			chunk = rest[:end+4]
		}
		if kind == "CgBI" {
			return nil, unsupported("PNG of an iPhone program (CgBI)")
		}
		p.add(kind, chunk, data)
		if !whole || kind == "IEND" {
			break
		}
		rest = rest[end+4:]
	}
	if len(p.header) != 13 {
		return nil, damaged("PNG without a header")
	}
	return p, nil
}

func (p *pngFile) add(kind string, chunk, data []byte) {
	switch kind {
	case "IHDR":
		if p.header == nil {
			p.header = data
		}
	case "PLTE":
		p.palette = chunk
	case "tRNS":
		if p.data == nil { // later ones come too late
			p.transparency = data
		}
	case "IDAT":
		p.data = append(p.data, chunk)
	case "eXIf":
		p.orientation = orientation(data)
	case "tEXt", "zTXt":
		if o := profileOrientation(kind, data); o != 1 {
			p.orientation = o
		}
	}
}

// join writes a PNG of the chunks, in the order that the format asks for.
func (p *pngFile) join() []byte {
	file := append([]byte(pngMagic), pngChunk("IHDR", p.header)...)
	if gray := p.colour()&2 == 0; !gray {
		file = append(file, p.palette...)
	}
	want := map[byte]int{0: 2, 2: 6}[p.colour()]
	if n := len(p.transparency); n > 0 && (n == want || p.colour() == 3) {
		if p.colour() == 3 {
			n = min(n, max(0, len(p.palette)-12)/3)
		}
		file = append(file, pngChunk("tRNS", p.transparency[:n])...)
	}
	for _, chunk := range p.data {
		file = append(file, chunk...)
	}
	return append(file, pngChunk("IEND", nil)...)
}

// pngChunk returns a chunk: length, kind, data and checksum.
func pngChunk(kind string, data []byte) []byte {
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	chunk = append(append(chunk, kind...), data...)
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
}

// profileOrientation reads Exif data that are hexadecimal text, as programs wrote before PNG had a
// chunk for them.
func profileOrientation(kind string, data []byte) int {
	keyword, text, ok := bytes.Cut(data, []byte{0})
	if name := string(keyword); !ok || name != "Raw profile type exif" && name != "Raw profile type APP1" {
		return 1
	}
	var r io.Reader = bytes.NewReader(text)
	if kind == "zTXt" {
		if len(text) < 1 {
			return 1
		}
		unpacked, err := zlib.NewReader(bytes.NewReader(text[1:]))
		if err != nil {
			return 1
		}
		r = unpacked
	}
	profile, err := io.ReadAll(io.LimitReader(r, profileBytes))
	if err != nil {
		return 1
	}
	words := strings.Fields(string(profile)) // a name, the number of bytes, then digits
	if len(words) < 3 {
		return 1
	}
	exif, err := hex.DecodeString(strings.Join(words[2:], ""))
	if err != nil {
		return 1
	}
	return orientation(exif)
}
