package picture

import (
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"strconv"
	"strings"
)

// A Text is a keyword and its value in a PNG file. The keyword has 1 to 79 characters of Latin-1,
// the value any number.
type Text [2]string

// pngHeader is the length of a PNG's signature and of IHDR, which must come first.
const pngHeader = 8 + 4 + 4 + 13 + 4

// WritePNG writes a picture with a tEXt chunk for each text, right after the header. A chunk holds
// Latin-1 alone: other characters, and zeros, become question marks.
func WritePNG(w io.Writer, m image.Image, texts []Text) error {
	return png.Encode(&textInserter{w: w, texts: texts, left: pngHeader}, m)
}

// A textInserter passes an encoded PNG on to w, and inserts chunks after its header.
type textInserter struct {
	w     io.Writer
	texts []Text
	left  int // bytes of the header still to come
}

// Write implements [io.Writer].
func (t *textInserter) Write(b []byte) (int, error) {
	if t.left == 0 {
		return t.w.Write(b)
	}
	head := min(t.left, len(b))
	n, err := t.w.Write(b[:head])
	t.left -= n
	if err != nil || t.left > 0 {
		return n, err
	}
	for _, text := range t.texts {
		if _, err := t.w.Write(text.chunk()); err != nil {
			return n, err
		}
	}
	rest, err := t.w.Write(b[head:])
	return n + rest, err
}

// chunk encodes a tEXt chunk: length, type, keyword, zero, value, CRC of all but the length
// (PNG specification, second edition, 5.3 and 11.3.4.3).
func (t Text) chunk() []byte {
	data := append([]byte("tEXt"), latin1(t[0])...)
	data = append(data, 0)
	data = append(data, latin1(t[1])...)
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)-4))
	out = append(out, data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(data))
}

// latin1 encodes a string.
func latin1(s string) []byte {
	var out []byte
	for _, r := range s {
		if r == 0 || r > 0xff {
			r = '?'
		}
		out = append(out, byte(r))
	}
	return out
}

// JoinInts lists numbers with commas between them, as the text of the classes of images does.
func JoinInts(x []int32) string {
	var b strings.Builder
	for i, v := range x {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(v)))
	}
	return b.String()
}
