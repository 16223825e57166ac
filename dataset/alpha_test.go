package dataset

import (
	"bytes"
	"image/color"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/npy"
)

// alphaArray is a .npy file of images with the given sides and bytes.
func alphaArray(t testing.TB, height, width, channels int, bytes ...byte) []byte {
	t.Helper()
	numbers := make([]float32, len(bytes))
	for i, b := range bytes {
		numbers[i] = float32(b)
	}
	var file strings.Builder
	if err := npy.WriteFloat32(&file, numbers, len(bytes)/height/width/channels, height, width, channels); err != nil {
		t.Fatal(err)
	}
	return []byte(file.String())
}

// allNotes joins the notes of a set.
func allNotes(s *Set) string {
	var list []string
	for _, note := range s.Notes {
		list = append(list, note.String())
	}
	return strings.Join(list, "\n")
}

// What nobody sees of arrays has the colour of what is near, as in pictures.
func TestAlphaOfArrays(t *testing.T) {
	rgba := alphaArray(t, 1, 3, 4, 9, 8, 7, 0, 200, 20, 30, 255, 1, 2, 3, 0, 5, 6, 7, 0, 6, 7, 8, 0, 7, 8, 9, 0)
	seen := []byte{200, 20, 30, 0, 200, 20, 30, 255, 200, 20, 30, 0}
	grays := alphaArray(t, 2, 2, 2, 9, 0, 90, 255, 1, 0, 2, 0)
	unused := alphaArray(t, 1, 3, 4, 9, 8, 7, 0, 6, 5, 4, 0, 3, 2, 255, 0)
	for _, c := range []struct {
		name            string
		file            []byte
		channels, width int
		want            []byte
		note            string
	}{
		{"RGBA", rgba, 4, 0, slices.Concat(seen, bytes.Repeat([]byte{255, 255, 255, 0}, 3)), ""},
		{"the same size", rgba, 4, 3, slices.Concat(seen, bytes.Repeat([]byte{255, 255, 255, 0}, 3)), ""},
		{"gray of it", rgba, 2, 0, []byte{75, 0, 75, 255, 75, 0, 255, 0, 255, 0, 255, 0}, ""},
		{"gray and alpha", grays, 2, 0, []byte{90, 0, 90, 255, 90, 0, 90, 0}, ""},
		{"colours of it", grays, 4, 0, []byte{90, 90, 90, 0, 90, 90, 90, 255, 90, 90, 90, 0, 90, 90, 90, 0}, ""},
		{"0 everywhere", unused, 4, 0, []byte{9, 8, 7, 255, 6, 5, 4, 255, 3, 2, 255, 255},
			"the last of 4 channels is 0 everywhere: all pixels were taken for opaque"},
	} {
		height := min(c.width, 1)
		set := mustOpen(t, write(t, map[string][]byte{"x.npy": c.file}), Options{Channels: c.channels, Width: c.width, Height: height})
		var got []byte
		for i := range set.Train.Len() {
			image, _ := pixels(set.Train, i)
			got = append(got, image...)
		}
		if !bytes.Equal(got, c.want) || !strings.Contains(allNotes(set), c.note) {
			t.Errorf("%s: %v, want %v\n%s", c.name, got, c.want, allNotes(set))
		}
	}
}

// Notes say what becomes of transparency. They name a cure only where nobody has chosen channels.
func TestNotesOnAlpha(t *testing.T) {
	nothing, half := color.NRGBA{}, color.NRGBA{50, 60, 70, 128}
	some := write(t, map[string][]byte{"a.png": plainPNG(t, 4, 4, half), "b.png": plainPNG(t, 4, 4, red), "c.png": plainPNG(t, 4, 4, nothing)})
	grays := write(t, map[string][]byte{"a.png": plainPNG(t, 4, 4, color.NRGBA{50, 50, 50, 128}), "b.png": plainPNG(t, 4, 4, gray)})
	opaque := write(t, map[string][]byte{"a.png": plainPNG(t, 4, 4, red), "b.png": plainPNG(t, 4, 4, gray)})
	array := write(t, map[string][]byte{"x.npy": alphaArray(t, 1, 3, 4, 1, 2, 3, 0, 1, 2, 3, 255, 1, 2, 3, 0)})
	masked := write(t, map[string][]byte{"images/a.png": plainPNG(t, 4, 4, gray), "images/b.png": plainPNG(t, 4, 4, gray),
		"masks/a.png": plainPNG(t, 4, 4, half), "masks/b.png": plainPNG(t, 4, 4, red)})
	const white, empty = "transparent pixels, which become white", "1 picture is transparent all over, and show nothing"
	const same = "no pixel is transparent"
	for _, c := range []struct {
		path            string
		channels        int
		want, unwanted  string
		wantChannelsOne bool
	}{
		{some, 0, "2 pictures have " + white + " (image-channels rgba keeps them)\n" + empty, same, false},
		{some, 3, "2 pictures have " + white + "\n" + empty, "keeps them", false},
		{some, 4, empty, white, false},
		{grays, 0, "1 picture has " + white + " (image-channels gray-alpha keeps them)", empty, true},
		{grays, 2, "", same, false},
		{opaque, 0, "", "transparent", false},
		{opaque, 4, same, white, false},
		{opaque, 2, same, white, false},
		{array, 0, "transparent pixels became white (image-channels rgba keeps them)", same, false},
		{array, 3, "transparent pixels became white", "keeps them", false},
		{array, 4, "", "transparent", false},
		{masked, 0, "masks", white, true},
	} {
		set := mustOpen(t, c.path, Options{Channels: c.channels})
		notes := allNotes(set)
		if !strings.Contains(notes, c.want) || strings.Contains(notes, c.unwanted) {
			t.Errorf("%s, %d channels: %q, want %q and not %q", c.path, c.channels, notes, c.want, c.unwanted)
		}
		if _, _, got := set.Train.Shape(); c.wantChannelsOne && got != 1 {
			t.Errorf("%s: %d channels", c.path, got)
		}
	}
}
