package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tensorFile returns a safetensors file with two tensors of four bytes.
func tensorFile(metadata string, data string) []byte {
	header := `{"__metadata__":{"fmimg.meta":"` + metadata + `"},` +
		`"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`
	for len(header)%8 != 0 {
		header += " "
	}
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(file, header...), data...)
}

// pngFile returns a gray picture of 2x1 pixels, compressed as well as the level says.
func pngFile(t *testing.T, pixel byte, level png.CompressionLevel) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 2, 1))
	img.SetGray(1, 0, color.Gray{Y: pixel})
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: level}).Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestSame(t *testing.T) {
	metrics := func(loss, seconds string) []byte {
		return []byte(`{"step":1,"loss":` + loss + `,"seconds":` + seconds + "}\n")
	}
	whole := tensorFile("x", "abcdefgh")
	gray := func(pixel byte) []byte { return pngFile(t, pixel, png.DefaultCompression) }
	for _, c := range []struct {
		name string
		file string
		a, b []byte
		want string // part of the difference, "" for none
	}{
		{"array", "x.npy", []byte("abc"), []byte("abc"), ""},
		{"other byte", "x.npy", []byte("abc"), []byte("abd"), "first difference at byte 2"},
		{"cut off", "x.npy", []byte("abc"), []byte("ab"), "3 and 2 bytes"},

		{"times", "x.jsonl", metrics("0.5", "1.25"), metrics("0.5", "2e-05"), ""},
		{"loss", "x.jsonl", metrics("0.5", "1.25"), metrics("0.50000001", "1.25"), "became"},
		{"line missing", "x.jsonl", append(metrics("0.5", "1"), metrics("0.4", "2")...), metrics("0.5", "1"), "became"},
		{"times of eval", "x.json", []byte(`{"fid":1,"draw_seconds":3,"seconds":4}`),
			[]byte(`{"fid":1,"draw_seconds":5,"seconds":6}`), ""},
		{"score", "x.json", []byte(`{"fid":1,"seconds":4}`), []byte(`{"fid":2,"seconds":4}`), "fid"},
		{"member missing", "x.json", []byte(`{"fid":1,"seconds":4}`), []byte(`{"fid":1}`), "became"},

		{"pixels", "x.png", gray(9), pngFile(t, 9, png.NoCompression), ""},
		{"pixel", "x.png", gray(9), gray(10), "pixel (1, 0) was {9} and is {10}"},
		{"no picture", "x.png", gray(9), []byte("no PNG at all"), "png: invalid format"},

		{"tensors", "x.safetensors", whole, bytes.Clone(whole), ""},
		{"date and version", "x.safetensors",
			tensorFile(`{\"version\":\"1\",\"date\":\"2024-01-02\",\"seed\":5}`, "abcdefgh"),
			tensorFile(`{\"version\":\"(devel)\",\"date\":\"2025-03-04T05\",\"seed\":5}`, "abcdefgh"), ""},
		{"training time", "x.safetensors", tensorFile(`{\"step\":1,\"seconds\":1.5}`, "abcdefgh"),
			tensorFile(`{\"step\":1,\"seconds\":11}`, "abcdefgh"), ""},
		{"metadata", "x.safetensors", tensorFile(`{\"seed\":5}`, "abcdefgh"),
			tensorFile(`{\"seed\":6}`, "abcdefgh"), "header"},
		{"one bit", "x.safetensors", whole, tensorFile("x", "abcdefgi"), "1 of 2 tensors differ, such as b"},
		{"all tensors", "x.safetensors", whole, tensorFile("x", "bbcdefgi"), "2 of 2 tensors differ, such as a"},
		{"trailing bytes", "x.safetensors", whole, tensorFile("x", "abcdefghi"), "8 bytes of data became 9"},
		{"cut header", "x.safetensors", whole, whole[:20], "cut off"},
		{"no header", "x.safetensors", whole, nil, "not a safetensors file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := filepath.Join(t.TempDir(), c.file), filepath.Join(t.TempDir(), c.file)
			for name, data := range map[string][]byte{a: c.a, b: c.b} {
				if err := os.WriteFile(name, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := same(a, b)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("unexpected: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want a difference with %q", err, c.want)
			}
		})
	}
	if same(filepath.Join(t.TempDir(), "none"), "neither") == nil {
		t.Error("files that are missing are the same")
	}
}
