package roomtest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"os"
	"testing"
)

// ReadPNG reads a picture.
func ReadPNG(t *testing.T, path string) image.Image {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// ReadTexts returns the keyword and value of each tEXt chunk of a PNG. It checks the sums of all
// chunks.
func ReadTexts(t *testing.T, file []byte) (texts [][2]string) {
	t.Helper()
	for rest := file[8:]; len(rest) > 0; {
		length := binary.BigEndian.Uint32(rest)
		body := rest[4 : 8+length]
		if sum := binary.BigEndian.Uint32(rest[8+length:]); sum != crc32.ChecksumIEEE(body) {
			t.Fatalf("chunk %s: wrong checksum", body[:4])
		}
		if string(body[:4]) == "tEXt" {
			key, value, _ := bytes.Cut(body[4:], []byte{0})
			var utf []rune
			for _, b := range value {
				utf = append(utf, rune(b))
			}
			texts = append(texts, [2]string{string(key), string(utf)})
		}
		rest = rest[12+length:]
	}
	return texts
}
