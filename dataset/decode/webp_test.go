package decode

import (
	"errors"
	"image"
	"slices"
	"testing"
)

// webpAnimation writes an animation of one frame of 40x24 pixels at a place.
func webpAnimation(still []byte, w, h, x, y byte) []byte {
	frame := append([]byte{x / 2, 0, 0, y / 2, 0, 0, 39, 0, 0, 23, 0, 0, 100, 0, 0, 0}, still[12:]...)
	body := riffChunk([]byte("WEBP"), "VP8X", []byte{2, 0, 0, 0, w - 1, 0, 0, h - 1, 0, 0})
	body = riffChunk(body, "ANIM", make([]byte, 6))
	return riffChunk(nil, "RIFF", riffChunk(body, "ANMF", frame))
}

// The first frame of an animation lies at its place on the canvas.
func TestWebPAnimation(t *testing.T) {
	p, err := Decode(webpAnimation(webpScene, 60, 50, 4, 6), Options{Channels: 4})
	if err != nil || p.Width != 60 || p.Height != 50 || p.Opaque {
		t.Fatalf("%dx%d, %v", p.Width, p.Height, err)
	}
	for at, want := range map[image.Point][4]byte{
		{4, 6}: {0, 255, 0, 255}, {4, 29}: {255, 0, 0, 255}, {43, 29}: {0, 0, 255, 255},
	} {
		if got := rgbaAt(p, at.X, at.Y); got != want {
			t.Errorf("%v: %v, want %v", at, got, want)
		}
	}
	for _, at := range []image.Point{{3, 6}, {4, 5}, {44, 6}, {4, 30}} {
		if got := rgbaAt(p, at.X, at.Y); got[3] != 0 {
			t.Errorf("%v: %v", at, got)
		}
	}
	if p, err := Decode(webpAnimation(webpScene, 40, 24, 0, 0), Options{}); err != nil || sides(p, 3) != turnedSides[1] {
		t.Errorf("frame that fills the canvas: %v", err)
	}
}

// Odd chunks do not matter, and missing ones do.
func TestWebPChunks(t *testing.T) {
	unknown := riffChunk(nil, "abcd", []byte("odd"))
	long := slices.Concat(webpScene[:12], unknown, webpScene[12:])
	for name, file := range map[string][]byte{
		"unknown chunk":       long, // the length of the whole is wrong too
		"rubbish at the end":  append(slices.Clone(webpScene), "rubbish"...),
		"wrong length of all": slices.Concat(webpScene[:4], []byte{255, 255, 0, 0}, webpScene[8:]),
	} {
		if p, err := Decode(file, Options{}); err != nil || sides(p, 3) != turnedSides[1] {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, file := range map[string][]byte{
		"header alone": webpScene[:12], "header of the pixels alone": webpScene[:22], "another canvas": func() []byte {
			file := webpWithExif(webpScene, nil)
			file[24] = 200
			return file
		}(),
	} {
		if _, err := Decode(file, Options{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// VP8 has samples of a TV's range: white was read as 235 and black as 16. The frame of an animation
// and a picture with transparency have them too.
func TestLossyWebP(t *testing.T) {
	still, half := testFile(t, "lossy.webp"), testFile(t, "lossyalpha.webp")
	withoutVP8X := slices.Concat(half[:12], half[30:])
	for name, c := range map[string]struct {
		file  []byte
		alpha byte // of the left half
	}{
		"still": {still, 255}, "animated": {webpAnimation(still, 40, 24, 0, 0), 255}, "transparent": {half, 128},
		"transparent, animated": {webpAnimation(withoutVP8X, 40, 24, 0, 0), 128},
	} {
		p, err := Decode(c.file, Options{Channels: 4})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkPatches(t, name, p)
		if a, b := patch(p, 0, 0)[3], patch(p, 3, 1)[3]; a != c.alpha || b != 255 {
			t.Errorf("%s: alpha %d and %d", name, a, b)
		}
	}
}

// Colours run into each other between patches as libwebp 1.6 has it (by Pillow 13), to 1 level that
// may be rounded in another way.
func TestLossyWebPBetweenPatches(t *testing.T) {
	p, err := Decode(testFile(t, "lossy.webp"), Options{Channels: 4})
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[image.Point][]byte{
		{25, 6}: {132, 128, 125}, {15, 18}: {3, 254, 1}, {29, 3}: {134, 136, 72}, {30, 3}: {245, 247, 57}, {9, 11}: {255, 248, 231},
		{9, 12}: {149, 54, 6}, {10, 12}: {100, 197, 53}, {0, 23}: {255, 1, 0}, {39, 23}: {1, 255, 254}, {20, 20}: {0, 33, 162},
		{19, 21}: {29, 222, 98},
	} {
		if got := rgbaAt(p, at.X, at.Y); far(got[:], want) > 1 {
			t.Errorf("%v: %v, want %v", at, got, want)
		}
	}
}
