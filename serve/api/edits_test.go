package api

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/serve/draw"
)

// holed is a mask whose left half is transparent.
func holed() string {
	m := image.NewNRGBA(image.Rect(0, 0, 6, 4))
	for y := range 4 {
		for x := 3; x < 6; x++ {
			m.SetNRGBA(x, y, color.NRGBA{A: 255})
		}
	}
	var out bytes.Buffer
	_ = png.Encode(&out, m) // into memory
	return out.String()
}

// flat is a picture without transparent pixels.
func flat() string {
	var out bytes.Buffer
	_ = png.Encode(&out, image.NewGray(image.Rect(0, 0, 6, 4))) // into memory
	return out.String()
}

// With a mask, its transparent part is white for the drawer; without one, variations are drawn.
func TestEdits(t *testing.T) {
	s := newSite(t, Options{})
	kind, body := form(t, map[string]string{"prompt": "zero", "n": "2", "size": "12x8", "seed": "3", "input_fidelity": "high"},
		map[string]string{"image": flat(), "mask": holed()})
	w, text := s.send("POST", "/v1/images/edits", kind, body)
	var out imagesJSON
	if err := json.Unmarshal([]byte(text), &out); err != nil || w.StatusCode != http.StatusOK || len(out.Data) != 2 || out.Size != "12x8" || out.Seed != 3 {
		t.Fatalf("status %d, %s", w.StatusCode, text)
	}
	r := s.fake.seen[0]
	m, err := png.Decode(bytes.NewReader(r.Mask))
	if err != nil || r.Kind != draw.Inpaint || string(r.Inputs[0]) != flat() || r.Times != 10 || r.Sample.Class != "zero" {
		t.Fatalf("the drawer got %+v, %v", r, err)
	}
	if g := m.(*image.Gray); g.GrayAt(2, 1).Y != 255 || g.GrayAt(3, 1).Y != 0 {
		t.Errorf("the mask is %v", g.Pix)
	}
	kind, body = form(t, map[string]string{"level": "0.25", "stream": "true", "partial_images": "1"}, map[string]string{"image[]": flat()})
	w, text = s.send("POST", "/v1/images/edits", kind, body)
	if list := events(text); w.StatusCode != http.StatusOK || names(list) != "1 image_edit.partial_image, 1 image_edit.completed" {
		t.Errorf("streamed: %d %.200s", w.StatusCode, text)
	}
	if r := s.fake.seen[1]; r.Kind != draw.Vary || r.Level != 0.25 {
		t.Errorf("the drawer got %+v", r)
	}
}

// A mistake in a form has its field.
func TestEditMistakes(t *testing.T) {
	s := newSite(t, Options{})
	image := map[string]string{"image": flat()}
	for name, c := range map[string]struct {
		fields, files map[string]string
		want          string
	}{
		"no image":     {nil, nil, "400 invalid_request_error image"},
		"opaque mask":  {nil, map[string]string{"image": flat(), "mask": flat()}, "400 invalid_request_error mask"},
		"no mask":      {nil, map[string]string{"image": flat(), "mask": "text"}, "400 invalid_request_error mask"},
		"empty mask":   {nil, map[string]string{"image": flat(), "mask": ""}, "400 invalid_request_error mask"},
		"a word for n": {map[string]string{"n": "two"}, image, "400 invalid_request_error n"},
		"a text for n": {map[string]string{"n": `"2"`}, image, "400 invalid_request_error n"},
		"level":        {map[string]string{"level": "2"}, image, "400 invalid_request_error level"},
		"times":        {map[string]string{"times": "2"}, image, "400 invalid_request_error times"},
		"class":        {map[string]string{"prompt": "what?"}, image, "400 invalid_request_error prompt"},
		"model":        {map[string]string{"model": "fast"}, image, "400 invalid_request_error model"},
		"long":         {map[string]string{"prompt": strings.Repeat("x", 5000)}, image, "400 invalid_request_error prompt"},
	} {
		kind, body := form(t, c.fields, c.files)
		w, text := s.send("POST", "/v1/images/edits", kind, body)
		if got := mistake(w, text); got != c.want {
			t.Errorf("%s: %s (%s), want %s", name, got, text, c.want)
		}
	}
	kind, body := form(t, map[string]string{"n": "1"}, image)
	twice := strings.Replace(body, "name=\"image\"; filename", "name=\"n\"; filename", 1)
	if w, text := s.send("POST", "/v1/images/edits", kind, twice); mistake(w, text) != "400 invalid_request_error n" {
		t.Errorf("a field that is there twice: %s", text)
	}
	kind, body = form(t, nil, image)
	if w, text := s.send("POST", "/v1/images/edits", kind, body[:len(body)-20]); mistake(w, text) != "400 invalid_request_error <nil>" {
		t.Errorf("a form that is cut off: %s", text)
	}
	if w, text := s.send("POST", "/v1/images/edits", "application/json", "{}"); w.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("no form: %s", text)
	}
}
