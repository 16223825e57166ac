package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// same compares two files in the way that their extension asks for. The error says how they differ.
func same(nameA, nameB string) error {
	a, err := os.ReadFile(nameA)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(nameB)
	if err != nil {
		return err
	}
	switch filepath.Ext(nameA) {
	case ".safetensors":
		return sameTensors(a, b)
	case ".json", ".jsonl":
		return sameText(constant(a), constant(b))
	case ".png":
		return samePixels(a, b)
	}
	return sameBytes(a, b)
}

// sameBytes compares all bytes.
func sameBytes(a, b []byte) error {
	if bytes.Equal(a, b) {
		return nil
	}
	return fmt.Errorf("%d and %d bytes, the first difference at byte %d", len(a), len(b), firstDifference(a, b))
}

// firstDifference returns how many bytes two texts have in common before they differ.
func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// changing matches what differs from run to run, as a member of a JSON object: times, dates and
// versions. In the metadata of a safetensors file, where JSON is in a string, quotes have a
// backslash.
var changing = regexp.MustCompile(`\\?"(?:draw_)?seconds\\?":[-+.0-9eE]+|\\?"(?:version|date)\\?":\\?"[^"\\]*\\?"`)

// constant returns a text without the members that differ from run to run.
func constant(text []byte) []byte { return changing.ReplaceAll(text, []byte("*")) }

// sameText compares texts, and shows where they differ.
func sameText(a, b []byte) error {
	if bytes.Equal(a, b) {
		return nil
	}
	i := firstDifference(a, b)
	around := func(text []byte) []byte { return text[max(0, i-30):min(len(text), i+30)] }
	return fmt.Errorf("%q became %q", around(a), around(b))
}

// samePixels compares the pixels of two PNG files and how these are stored.
func samePixels(fileA, fileB []byte) error {
	a, err := png.Decode(bytes.NewReader(fileA))
	if err != nil {
		return err
	}
	b, err := png.Decode(bytes.NewReader(fileB))
	if err != nil {
		return err
	}
	if a.Bounds() != b.Bounds() || a.ColorModel() != b.ColorModel() {
		return fmt.Errorf("%v became %v, or its colors changed", a.Bounds(), b.Bounds())
	}
	return samePoints(a, b)
}

// samePoints compares the colors of images of the same size.
func samePoints(a, b image.Image) error {
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			if a.At(x, y) != b.At(x, y) {
				return fmt.Errorf("pixel (%d, %d) was %v and is %v", x, y, a.At(x, y), b.At(x, y))
			}
		}
	}
	return nil
}

// sameTensors compares safetensors files: the header's text (names, order, types, shapes, places
// and metadata) and all bytes of all tensors. It reads the format by itself, as the project's own
// reader is among what may have changed.
func sameTensors(fileA, fileB []byte) error {
	headerA, dataA, err := cutHeader(fileA)
	if err != nil {
		return err
	}
	headerB, dataB, err := cutHeader(fileB)
	if err != nil {
		return err
	}
	if err := sameText(constant(headerA), constant(headerB)); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if bytes.Equal(dataA, dataB) {
		return nil
	}
	return differingTensors(headerA, dataA, dataB)
}

// cutHeader returns the header of a safetensors file, without the spaces at its end, and the data
// behind it.
func cutHeader(file []byte) (header, data []byte, err error) {
	if len(file) < 8 {
		return nil, nil, errors.New("not a safetensors file")
	}
	n := binary.LittleEndian.Uint64(file)
	if n > uint64(len(file)-8) {
		return nil, nil, errors.New("not a safetensors file: its header is cut off")
	}
	return bytes.TrimRight(file[8:8+n], " "), file[8+n:], nil
}

// differingTensors returns an error that names the tensors with different bytes.
func differingTensors(header, a, b []byte) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d bytes of data became %d", len(a), len(b))
	}
	var tensors map[string]struct {
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(header, &tensors); err != nil {
		return err
	}
	delete(tensors, "__metadata__")
	var names []string
	for name, t := range tensors {
		from, to := t.Offsets[0], t.Offsets[1]
		if from < 0 || to < from || to > len(a) {
			return fmt.Errorf("tensor %s lies outside the file", name)
		}
		if !bytes.Equal(a[from:to], b[from:to]) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return errors.New("bytes between the tensors differ")
	}
	slices.Sort(names)
	return fmt.Errorf("%d of %d tensors differ, such as %s", len(names), len(tensors), names[0])
}
