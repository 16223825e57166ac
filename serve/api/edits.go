package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/fmimg/fmimg/dataset/decode"
	"github.com/fmimg/fmimg/serve/draw"
	"github.com/fmimg/fmimg/serve/problem"
)

// edits answers POST /v1/images/edits: with a mask its transparent part is drawn anew, without one
// variations are drawn.
func (a *API) edits(w http.ResponseWriter, r *http.Request) {
	upload, err := readUpload(w, r)
	if err != nil {
		problem.Send(w, err)
		return
	}
	o, err := a.edit(upload)
	if err != nil {
		problem.Send(w, promptError(err))
		return
	}
	a.answer(w, r, o)
}

// An upload is the form of a request for edits.
type upload struct {
	fields map[string]string
	images [][]byte
	mask   []byte
}

// Bounds on a form.
const (
	maxParts = 128
	maxField = 4096 // bytes of a field that is not a picture
)

// readUpload reads a form into memory. No part of it becomes a file.
func readUpload(w http.ResponseWriter, r *http.Request) (*upload, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxPictures)
	form, err := r.MultipartReader()
	if err != nil {
		return nil, &problem.Problem{Status: http.StatusUnsupportedMediaType, Type: problem.Invalid,
			Message: "a form of type multipart/form-data is needed, with the field image"}
	}
	u := &upload{fields: map[string]string{}}
	for range maxParts {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			// What follows the form is read too, so that a client that goes away is noticed.
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, formError(err)
			}
			return u, nil
		}
		if err == nil {
			err = u.add(part)
		}
		if err != nil {
			return nil, formError(err)
		}
	}
	return nil, invalid("", "the form has more than %d fields", maxParts)
}

// formError returns the error of a form as that of the client.
func formError(err error) error {
	tooLarge, own := (*http.MaxBytesError)(nil), (*problem.Problem)(nil)
	if errors.As(err, &tooLarge) || errors.As(err, &own) {
		return err
	}
	return invalid("", "the form cannot be read: %s", strings.TrimPrefix(err.Error(), "multipart: "))
}

// add adds a part of the form.
func (u *upload) add(part *multipart.Part) error {
	defer part.Close()
	switch name := part.FormName(); name {
	case "":
		return invalid("", "the form has a field without a name")
	case "image", "image[]":
		if len(u.images) == maxInputs {
			return invalid("image", "image: at most %d pictures are taken", maxInputs)
		}
		file, err := io.ReadAll(part)
		u.images = append(u.images, file)
		return err
	case "mask":
		if u.mask != nil {
			return invalid("mask", "mask: it is there twice")
		}
		file, err := io.ReadAll(part)
		u.mask = file
		return err
	default:
		if _, there := u.fields[name]; there && (textFields[name] || numberFields[name]) {
			return invalid(name, "%s: it is there twice", name)
		}
		text, err := io.ReadAll(io.LimitReader(part, maxField+1))
		if err == nil && len(text) > maxField {
			return invalid(short(name), "%s: at most %d bytes are taken", short(name), maxField)
		}
		u.fields[name] = string(text)
		return err
	}
}

// textFields are the fields of a form that are texts. The others are written as in JSON.
var textFields = map[string]bool{
	"model": true, "prompt": true, "size": true, "response_format": true, "output_format": true, "background": true,
	"solver": true,
}

// numberFields are the fields that are numbers, true or false.
var numberFields = map[string]bool{
	"n": true, "output_compression": true, "stream": true, "partial_images": true, "seed": true, "steps": true,
	"guidance": true, "tol": true, "noise_level": true, "level": true, "times": true,
}

// decode reads the fields as those of a request in JSON.
func (u *upload) decode() (imageJSON, error) {
	object := map[string]json.RawMessage{}
	for name, text := range u.fields {
		switch {
		case textFields[name]:
			quoted, err := json.Marshal(text)
			if err != nil {
				return imageJSON{}, err
			}
			object[name] = quoted
		case numberFields[name]:
			if !json.Valid([]byte(text)) {
				return imageJSON{}, invalid(name, "%s: %.40q is no number, true or false", name, text)
			}
			object[name] = json.RawMessage(text)
		}
	}
	body, err := json.Marshal(object)
	if err != nil {
		return imageJSON{}, err
	}
	var in imageJSON
	err = decodeJSON(body, &in, false)
	return in, err
}

// edit checks a request for edits.
func (a *API) edit(u *upload) (*order, error) {
	if len(u.images) == 0 {
		return nil, invalid("image", "image: a picture to edit is needed")
	}
	in, err := u.decode()
	if err != nil {
		return nil, err
	}
	kind := draw.Vary
	if u.mask != nil {
		kind = draw.Inpaint
	}
	o, err := a.order(in, kind)
	if err != nil {
		return nil, err
	}
	if !o.model.Edits {
		return nil, cannot(o.model, "edit images")
	}
	o.event, o.Inputs = "image_edit", u.images
	if o.Level, o.Times, err = editFields(kind, in.Level, in.Times); err != nil {
		return nil, err
	}
	if u.mask != nil {
		o.Mask, err = paintedMask(u.mask)
	}
	return o, err
}

// cannot returns the problem of a model that cannot do something.
func cannot(m draw.Model, what string) error {
	return invalid("model", "model %s: it cannot %s: choose a model that follows a velocity", m.Name, what)
}

// Bounds on uploads: the pixels of a picture, and of all that are decoded here at once.
const (
	maxUploadPixels = 16_000_000
	roomPixels      = 2 * maxUploadPixels
)

// masks is the room for masks that are decoded.
var masks = decode.NewRoom(roomPixels)

// paintedMask turns a mask whose transparent part is to be drawn into one that is white there.
func paintedMask(file []byte) ([]byte, error) {
	p, err := decode.Decode(file, decode.Options{Channels: 4, MaxPixels: maxUploadPixels, Room: masks})
	if err != nil {
		return nil, invalid("mask", "mask: %v", err)
	}
	if p.Opaque {
		return nil, invalid("mask", "mask: no part of it is transparent, which is what is drawn anew: erase that part of it")
	}
	m := image.NewGray(image.Rect(0, 0, p.Width, p.Height))
	for i := range m.Pix {
		if p.Pixels[4*i+3] < 0x80 {
			m.Pix[i] = 0xff
		}
	}
	var out bytes.Buffer
	err = png.Encode(&out, m)
	return out.Bytes(), err
}
