package api

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/serve/draw"
	"github.com/fmimg/fmimg/serve/problem"
)

// clientsFault fails where an error of a decoder is not one that the client is told of.
func clientsFault(t *testing.T, input any, err error) {
	t.Helper()
	if p := problem.Of(err); p.Status < 400 || p.Status >= 500 || p.Message == "" {
		t.Errorf("%q: status %d, %v", input, p.Status, err)
	}
}

// A body of any bytes becomes an order within the bounds, or an error of the client.
func FuzzGenerations(f *testing.F) {
	for _, body := range []string{
		`{"prompt": "zero", "n": 2, "size": "12x8", "seed": 5}`, `{"stream": true, "partial_images": 3}`, `{"n": 1e3}`,
		`{"output_format": "webp", "output_compression": 50, "background": "opaque"}`, `{"size": "x"}`, `{"guidance": 0}`,
		`{"model": "runs/sprites", "steps": 100000}`, `{"solver": "sde", "noise_level": 0.5}`, `{}`, `null`, `[`, "\xff",
	} {
		f.Add([]byte(body))
	}
	a := New(&fake{}, Options{})
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := a.generation(body)
		if err != nil {
			clientsFault(t, body, err)
			return
		}
		side := o.format.scale * max(o.model.Shape.Height, o.model.Shape.Width)
		if s := o.Sample; s.Count < 1 || s.Count > maxImages || s.Steps < 0 || s.Steps > maxSteps || side*side > 4*maxPixels || o.format.scale < 1 {
			t.Errorf("%q: %+v at scale %d", body, s, o.format.scale)
		}
	})
}

// A body of any bytes becomes a job within the bounds, or an error of the client.
func FuzzJobs(f *testing.F) {
	p := upload64()
	for _, body := range []string{
		`{"kind": "generate", "classes": "0-9", "count": 4, "seed": 1, "states": false}`, `{"count": 1e9}`, `{}`, `{"x": 1}`,
		`{"kind": "vary", "images": ["` + p + `"], "level": 0.3}`, `{"kind": "likelihood", "images": ["` + p + `"]}`,
		`{"kind": "inpaint", "images": ["` + p + `"], "mask": "` + p + `", "times": 3}`, `{"kind": "interpolate", "images": ["a", "b"]}`,
		`{"no_class": true, "solver": "dopri5", "tol": 1e-3}`, `{"images": [null]}`, `{"kind": null}`, `{"seed": 1.5}`,
	} {
		f.Add([]byte(body))
	}
	a := New(&fake{}, Options{})
	f.Fuzz(func(t *testing.T, body []byte) {
		j, err := a.readJob(body)
		if err != nil {
			clientsFault(t, body, err)
			return
		}
		if r := j.request; j.images > maxImages || len(r.Inputs) > maxInputs || (r.Kind == draw.Generate) != (len(r.Inputs) == 0) || r.Level < 0 || r.Level > 1 {
			t.Errorf("%q: %d images of %d inputs, %+v", body, j.images, len(r.Inputs), r)
		}
	})
}

// form returns a form with a picture, a mask and fields.
func form(t interface{ Fatal(...any) }, fields map[string]string, files map[string]string) (contentType, body string) {
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	if err := w.SetBoundary("xxxxxxxxxxxxxxxxxxxxxxxx"); err != nil {
		t.Fatal(err)
	}
	for name, text := range fields {
		if err := w.WriteField(name, text); err != nil {
			t.Fatal(err)
		}
	}
	for name, file := range files {
		part, err := w.CreateFormFile(name, name+".png")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = part.Write([]byte(file)) // into memory
	}
	_ = w.Close()
	return w.FormDataContentType(), out.String()
}

// A form of any bytes becomes an order within the bounds, or an error of the client.
func FuzzEdits(f *testing.F) {
	kind, body := form(f, map[string]string{"prompt": "zero", "n": "2", "seed": "3"}, map[string]string{"image": "a picture", "mask": holed()})
	f.Add(kind, []byte(body))
	kind, body = form(f, map[string]string{"level": "0.5", "stream": "true"}, map[string]string{"image[]": "a picture"})
	f.Add(kind, []byte(body))
	f.Add("multipart/form-data", []byte("--\r\n"))
	f.Add("multipart/form-data; boundary=a", []byte("--a\r\nContent-Disposition: form-data; name=image\r\n\r\nx\r\n--a--"))
	a := New(&fake{}, Options{})
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/v1/images/edits", bytes.NewReader(body))
		r.Header.Set("Content-Type", kind)
		u, err := readUpload(httptest.NewRecorder(), r)
		if err == nil {
			_, err = a.edit(u)
		}
		if err != nil {
			clientsFault(t, body, err)
		}
	})
}

// Any Last-Event-ID is a number of 0 or more, or an error of the client.
func FuzzLastEventID(f *testing.F) {
	for _, text := range []string{"", "0", "17", "-1", "+1", "1e3", "0x1", "99999999999999999999", "٣", "1_0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := &http.Request{Header: http.Header{"Last-Event-Id": {text}}}
		id, err := lastEventID(r)
		if err != nil {
			clientsFault(t, text, err)
		} else if id < 0 || (id > 0 && strings.Trim(text, "0123456789") != "") {
			t.Errorf("%q became %d", text, id)
		}
	})
}

// An error of the drawer about a class is one about what clients call it.
func TestNamesOfFields(t *testing.T) {
	if err := errors.New("x"); !errors.Is(promptError(err), err) || !errors.Is(jobError(err), err) {
		t.Error("another error was changed")
	}
}
