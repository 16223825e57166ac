package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	"net/http"
	"strings"
	"testing"
	"time"

	_ "golang.org/x/image/webp"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/serve/draw"
)

// picture64 decodes a picture in base64.
func picture64(t *testing.T, text string) (image.Image, string) {
	t.Helper()
	file, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	m, kind, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return m, kind
}

// The images of a response are those that were drawn, in the size and the format that was asked
// for.
func TestGenerations(t *testing.T) {
	s := newSite(t, Options{})
	for _, c := range []struct {
		body, kind, size string
		n                int
	}{
		{`{"prompt": "zero"}`, "png", "6x4", 1},
		{`{"prompt": "", "n": 3, "size": "12x8", "response_format": "b64_json"}`, "png", "12x8", 3},
		{`{"prompt": "zero", "n": null, "size": "auto", "output_format": "webp", "user": "me", "quality": "high"}`, "webp", "6x4", 1},
		{`{"prompt": "zero", "model": "digits", "output_format": "jpeg", "output_compression": 80}`, "jpeg", "6x4", 1},
		{`{"model": "runs/sprites", "background": "transparent", "size": "8x8"}`, "png", "8x8", 1},
	} {
		w, text := s.post("/v1/images/generations", c.body)
		var out imagesJSON
		if err := json.Unmarshal([]byte(text), &out); err != nil || w.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d, %s, %v", c.body, w.StatusCode, text, err)
			continue
		}
		if len(out.Data) != c.n || out.Size != c.size || out.OutputFormat != c.kind || out.Created == 0 {
			t.Errorf("%s: %+v", c.body, out)
		}
		for i, d := range out.Data {
			m, kind := picture64(t, d.Text)
			if kind != c.kind || fmt.Sprintf("%dx%d", m.Bounds().Dx(), m.Bounds().Dy()) != c.size {
				t.Errorf("%s: image %d is %s of %v", c.body, i, kind, m.Bounds())
			}
			if gray, ok := m.(*image.Gray); ok && kind == "png" && gray.Pix[0] != dataset.ToByte(pixel(i, fakeSteps, 0)) {
				t.Errorf("%s: image %d begins with %d", c.body, i, gray.Pix[0])
			}
		}
	}
}

// The fields of a request arrive at the drawer.
func TestGenerationFields(t *testing.T) {
	s := newSite(t, Options{})
	s.post("/v1/images/generations", `{"prompt": "one", "n": 2, "seed": 18446744073709551615, "steps": 7, "solver": "midpoint", "guidance": 2.5}`)
	s.post("/v1/images/generations", `{"guidance": 0, "solver": "dopri5", "tol": 0.01}`)
	first, second := s.fake.seen[0], s.fake.seen[1]
	if o := first.Sample; o.Class != "one" || o.Count != 2 || o.Seed != 1<<64-1 || o.Steps != 7 || o.Solver != "midpoint" || o.Guidance != 2.5 {
		t.Errorf("the drawer got %+v", o)
	}
	if o := second.Sample; !o.NoClass || o.Guidance != 1 || o.Tol != 0.01 || second.Model != "digits" {
		t.Errorf("guidance 0 became %+v of %s", o, second.Model)
	}
}

// A mistake has the status, the type and the field that clients look at.
func TestGenerationMistakes(t *testing.T) {
	s := newSite(t, Options{})
	for body, want := range map[string]string{
		`{"prompt": "a?"}`:                            `400 invalid_request_error prompt`,
		`{"prompt": 7}`:                               `400 invalid_request_error prompt`,
		`{"n": 0}`:                                    `400 invalid_request_error n`,
		`{"n": 5000}`:                                 `400 invalid_request_error n`,
		`{"n": 1.5}`:                                  `400 invalid_request_error n`,
		`{"size": "1024x1024"}`:                       `400 invalid_request_error size`,
		`{"size": "12x4"}`:                            `400 invalid_request_error size`,
		`{"size": "6"}`:                               `400 invalid_request_error size`,
		`{"size": "600000x400000"}`:                   `400 invalid_request_error size`,
		`{"model": "gpt-image-1"}`:                    `404 not_found_error model`,
		`{"response_format": "url"}`:                  `400 invalid_request_error response_format`,
		`{"output_format": "gif"}`:                    `400 invalid_request_error output_format`,
		`{"output_compression": 101}`:                 `400 invalid_request_error output_compression`,
		`{"background": "transparent"}`:               `400 invalid_request_error background`,
		`{"background": "pink"}`:                      `400 invalid_request_error background`,
		`{"steps": 0}`:                                `400 invalid_request_error steps`,
		`{"steps": 5, "solver": "dopri5"}`:            `400 invalid_request_error steps`,
		`{"time_shift": 0}`:                           `400 invalid_request_error time_shift`,
		`{"time_shift": 2, "solver": "dopri5"}`:       `400 invalid_request_error time_shift`,
		`{"guidance_every": 0}`:                       `400 invalid_request_error guidance_every`,
		`{"guidance_every": 1001}`:                    `400 invalid_request_error guidance_every`,
		`{"guidance_every": 2, "solver": "dopri5"}`:   `400 invalid_request_error guidance_every`,
		`{"tol": 0.1}`:                                `400 invalid_request_error tol`,
		`{"noise_level": 1}`:                          `400 invalid_request_error noise_level`,
		`{"solver": "runge"}`:                         `400 invalid_request_error solver`,
		`{"model": "fast", "solver": "euler"}`:        `400 invalid_request_error solver`,
		`{"seed": -1}`:                                `400 invalid_request_error seed`,
		`{"partial_images": -1}`:                      `400 invalid_request_error partial_images`,
		`{"stream": "yes"}`:                           `400 invalid_request_error stream`,
		`{"prompt": "zero", "n": 1, "prompt": "one"}`: `400 invalid_request_error prompt`,
		`{"other": {"n": [1, "n"], "n": 2}, "n": 1, "\u006e": 2}`: `400 invalid_request_error n`,
		`{"n": 1024, "size": "600x400"}`:                          `400 invalid_request_error size`,
		`[]`:                                                      `400 invalid_request_error <nil>`,
		``:                                                        `400 invalid_request_error <nil>`,
		`{"prompt": "zero"} {}`:                                   `400 invalid_request_error <nil>`,
		`{"prompt": "` + strings.Repeat("x", 70000): `413 invalid_request_error <nil>`,
	} {
		w, text := s.post("/v1/images/generations", body)
		if got := mistake(w, text); got != want {
			t.Errorf("%.60s: %s (%s), want %s", body, got, text, want)
		}
	}
	if w, text := s.post("/v1/images/generations", `{"other": {"n": "\"n\":", "n": 2}, "n": 1, "user": "n", "N": 3}`); w.StatusCode != http.StatusOK {
		t.Errorf("fields that are not ours: status %d, %s", w.StatusCode, text)
	}
	if _, text := s.post("/v1/images/generations", `{"noise_level": 1}`); !strings.Contains(text, `"noise_level 1: `) {
		t.Errorf("the message names another field: %s", text)
	}
	if w, text := s.get("/v1/models/"); mistake(w, text) != "404 not_found_error model" {
		t.Errorf("a model without a name: %s", text)
	}
	s.fake.err = &draw.BusyError{RetryAfter: 3 * time.Second}
	if w, _ := s.post("/v1/images/generations", `{}`); w.StatusCode != http.StatusTooManyRequests || w.Header.Get("Retry-After") != "3" {
		t.Errorf("a full queue: status %d, Retry-After %q", w.StatusCode, w.Header.Get("Retry-After"))
	}
}

// mistake returns the status, the type and the field of an error.
func mistake(w *http.Response, text string) string {
	var out struct{ Error map[string]any }
	if json.Unmarshal([]byte(text), &out) != nil || out.Error["message"] == "" {
		return fmt.Sprintf("%d without an error", w.StatusCode)
	}
	return fmt.Sprintf("%d %v %v", w.StatusCode, out.Error["type"], out.Error["param"])
}

// A stream has the states that were asked for, evenly spread, and then the image.
func TestStream(t *testing.T) {
	s := newSite(t, Options{})
	for body, want := range map[string]string{
		`{"stream": true}`:                                 "completed 0 -",
		`{"stream": true, "partial_images": 1}`:            "partial_image 0 0, completed 0 -",
		`{"stream": true, "partial_images": 3}`:            "partial_image 0 0, partial_image 0 1, partial_image 0 2, completed 0 -",
		`{"stream": true, "partial_images": 9}`:            "partial_image 0 0, partial_image 0 1, partial_image 0 2, partial_image 0 3, completed 0 -",
		`{"stream": true, "partial_images": 1, "n": 2}`:    "partial_image 0 0, partial_image 1 0, completed 0 -, completed 1 -",
		`{"stream": true, "partial_images": 0, "n": null}`: "completed 0 -",
	} {
		w, text := s.post("/v1/images/generations", body)
		var got []string
		for _, e := range events(text) {
			var data streamedJSON
			if err := json.Unmarshal([]byte(e.data), &data); err != nil || data.Type != e.name {
				t.Fatalf("%s: event %s: %v", body, e.name, err)
			}
			index := "-"
			if data.Partial != nil {
				index = fmt.Sprint(*data.Partial)
			}
			picture64(t, data.Text)
			got = append(got, fmt.Sprintf("%s %d %s", strings.TrimPrefix(data.Type, "image_generation."), data.Image, index))
		}
		if strings.Join(got, ", ") != want || w.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s: %v, want %s", body, got, want)
		}
	}
	if w, text := s.post("/v1/images/generations", `{"stream": true, "prompt": "?"}`); mistake(w, text) != "400 invalid_request_error prompt" {
		t.Errorf("a mistake in a stream: %d %s", w.StatusCode, text)
	}
}

// A sseEvent is an event as it arrived.
type sseEvent struct{ id, name, data string }

// events reads a stream of events.
func events(text string) []sseEvent {
	var list []sseEvent
	for block := range strings.SplitSeq(text, "\n\n") {
		var e sseEvent
		lines := bufio.NewScanner(strings.NewReader(block))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				e.data = value
			}
		}
		if e.name != "" {
			list = append(list, e)
		}
	}
	return list
}

// What a client asked for that goes away is cancelled at once, whether it waited or followed.
func TestClientGoes(t *testing.T) {
	for _, body := range []string{`{}`, `{"stream": true, "partial_images": 2}`} {
		s := newSite(t, Options{})
		s.fake.hold = make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/v1/images/generations", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		over := make(chan error, 1)
		go func() {
			w, err := http.DefaultClient.Do(r)
			if err == nil {
				_, err = w.Body.Read(make([]byte, 1<<20))
				<-ctx.Done()
				w.Body.Close()
			}
			over <- err
		}()
		waitFor(t, func() bool { return s.fake.running() == 1 })
		gone := time.Now()
		leave()
		waitFor(t, func() bool { return s.fake.running() == 0 })
		s.fake.mu.Lock()
		took := s.fake.stopped.Sub(gone)
		s.fake.mu.Unlock()
		if took > 100*time.Millisecond {
			t.Errorf("%s: the drawer went on for %v", body, took)
		}
		if err := <-over; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// waitFor waits until something is so, and fails after 5 s.
func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come in 5 s")
		}
	}
}

// Models have OpenAI's fields and their own, by names with slashes too.
func TestModels(t *testing.T) {
	s := newSite(t, Options{})
	_, text := s.get("/v1/models")
	var list struct {
		Object string
		Data   []modelJSON
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil || list.Object != "list" || len(list.Data) != len(models) {
		t.Fatalf("%s: %v", text, err)
	}
	for _, path := range []string{"/v1/models/runs/sprites", "/v1/models/runs%2Fsprites"} {
		_, text := s.get(path)
		var m modelJSON
		if err := json.Unmarshal([]byte(text), &m); err != nil || m.ID != "runs/sprites" || m.Channels != "rgba" || m.Object != "model" {
			t.Errorf("%s: %s, %v", path, text, err)
		}
	}
	if w, text := s.get("/v1/models/dall-e-3"); mistake(w, text) != "404 not_found_error model" {
		t.Errorf("a model that is not there: %s", text)
	}
}

// An encoder without cgo writes WebP that another decoder reads to the same pixels.
func TestWebP(t *testing.T) {
	for name, m := range map[string]image.Image{
		"gray": noise(image.NewGray(image.Rect(0, 0, 37, 29))), "colours": noise(image.NewNRGBA(image.Rect(0, 0, 64, 48))),
		"one pixel": noise(image.NewGray(image.Rect(0, 0, 1, 1))), "flat": image.NewGray(image.Rect(0, 0, 200, 100)),
		"line": noise(image.NewNRGBA(image.Rect(0, 0, 300, 1))), "column": noise(image.NewNRGBA(image.Rect(0, 0, 1, 300))),
	} {
		var file bytes.Buffer
		if err := (format{name: "webp"}).write(&file, m, nil); err != nil {
			t.Fatal(err)
		}
		back, kind, err := image.Decode(&file)
		if err != nil || kind != "webp" || back.Bounds() != m.Bounds() {
			t.Errorf("%s: %s, %v", name, kind, err)
			continue
		}
		for y := range m.Bounds().Dy() {
			for x := range m.Bounds().Dx() {
				r, g, b, a := m.At(x, y).RGBA()
				if r2, g2, b2, a2 := back.At(x, y).RGBA(); r != r2 || g != g2 || b != b2 || a != a2 {
					t.Fatalf("%s: pixel (%d,%d) is %v, not %v", name, x, y, back.At(x, y), m.At(x, y))
				}
			}
		}
	}
}

// noise fills a picture with bytes that look random and repeat now and then.
func noise(m image.Image) image.Image {
	var pix []byte
	switch m := m.(type) {
	case *image.Gray:
		pix = m.Pix
	case *image.NRGBA:
		pix = m.Pix
	}
	state := uint32(1)
	for i := range pix {
		state = state*1664525 + 1013904223
		if pix[i] = byte(state >> 24); i%97 > 60 {
			pix[i] = 255
		}
	}
	if m, ok := m.(*image.NRGBA); ok {
		for i := 3; i < len(m.Pix); i += 4 {
			m.Pix[i] = 255
		}
	}
	return m
}

// The bytes of a state come back as the same bytes.
func TestStateBytes(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	x := make([]float32, 256)
	fromBytes(x, all)
	if !bytes.Equal(toBytes(x), all) {
		t.Errorf("they came back as %v", toBytes(x))
	}
}
