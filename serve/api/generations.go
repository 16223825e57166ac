package api

import (
	"context"
	"net/http"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/serve/draw"
	"github.com/fmimg/fmimg/serve/problem"
)

// An imagesJSON is the response of OpenAI's endpoints for images, and what drew them.
type imagesJSON struct {
	Created      int64       `json:"created"`
	Data         []imageData `json:"data"`
	Background   string      `json:"background"`
	OutputFormat string      `json:"output_format"`
	Size         string      `json:"size"`
	Model        string      `json:"model"`
	Seed         uint64      `json:"seed"`
	Notes        []string    `json:"notes,omitempty"` // what was assumed
}

// An imageData is an image of a response.
type imageData struct {
	Text string `json:"b64_json"`
}

// generations answers POST /v1/images/generations.
func (a *API) generations(w http.ResponseWriter, r *http.Request) {
	text, err := readBody(w, r, maxJSON)
	if err != nil {
		problem.Send(w, err)
		return
	}
	o, err := a.generation(text)
	if err != nil {
		problem.Send(w, promptError(err))
		return
	}
	a.answer(w, r, o)
}

// generation reads the body of a request for generations.
func (a *API) generation(text []byte) (*order, error) {
	var in imageJSON
	if err := decodeJSON(text, &in, false); err != nil {
		return nil, err
	}
	return a.order(in, draw.Generate)
}

// promptError returns an error about classes as one about the prompt, where a client has them, and
// one about the number of images as one about n.
func promptError(err error) error {
	return option.Rename(option.Rename(err, "class", "prompt"), "count", "n")
}

// longest is how long a request may take that waits for its images.
const longest = 30 * time.Minute

// answer draws what is asked for, and sends it at once or as a stream.
func (a *API) answer(w http.ResponseWriter, r *http.Request, o *order) {
	ctx, stop := context.WithTimeout(r.Context(), longest)
	defer stop()
	if o.stream {
		a.stream(ctx, w, o)
		return
	}
	if err := o.fitsAnswer(); err != nil {
		problem.Send(w, err)
		return
	}
	result, err := a.do(ctx, o.Request)
	if err != nil {
		problem.Send(w, promptError(err))
		return
	}
	out := imagesJSON{
		Created: time.Now().Unix(), Background: o.background(), OutputFormat: o.format.name, Size: o.size(),
		Model: result.Model.Name, Seed: o.Sample.Seed, Notes: notesOf(result),
	}
	for i := range result.Images.Len() {
		file, err := a.press.encode(ctx, o.format, result.Images, i, result.Texts)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			problem.Send(w, err)
			return
		}
		out.Data = append(out.Data, imageData{text64(file)})
	}
	send(w, http.StatusOK, out)
}

// maxAnswer is how many pixels the images of one response have together, which is in memory.
const maxAnswer = 128_000_000

// fitsAnswer reports images that are too many of their size for one response.
func (o *order) fitsAnswer() error {
	each := o.model.Shape.Width * o.model.Shape.Height * o.format.scale * o.format.scale
	if n := o.Sample.Count * max(len(o.Inputs), 1); n > maxAnswer/each {
		return option.Errorf("size", o.size(), "%d images of this size are too many for one response: at most %d, or a stream of events", n, maxAnswer/each)
	}
	return nil
}

// notesOf returns the notes of a result as texts.
func notesOf(r *draw.Result) []string {
	var list []string
	for _, note := range r.Notes {
		list = append(list, note.In(problem.Words))
	}
	return list
}
