package api

import (
	"bytes"
	"fmt"
	"image/gif"
	"net/http"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/serve/draw"
	"github.com/fmimg/fmimg/serve/problem"
)

// drawn returns the job of a request that asks for what it drew; it answers others.
func (a *API) drawn(w http.ResponseWriter, r *http.Request) (*job, *draw.Result) {
	j, err := a.jobs.get(r.PathValue("id"))
	if err != nil {
		problem.Send(w, err)
		return nil, nil
	}
	result, err := j.drawing()
	if err != nil {
		problem.Send(w, err)
		return nil, nil
	}
	return j, result
}

// jobImage answers GET /v1/jobs/{id}/images/{n}.png.
func (a *API) jobImage(w http.ResponseWriter, r *http.Request) {
	j, result := a.drawn(w, r)
	if result == nil {
		return
	}
	number, isPNG := strings.CutSuffix(r.PathValue("file"), ".png")
	i, err := strconv.Atoi(number)
	if !isPNG || err != nil || strconv.Itoa(i) != number || i < 0 || i >= result.Images.Len() {
		problem.Write(w, http.StatusNotFound, problem.NotFound, "",
			fmt.Sprintf("there is no such image: they are 0.png to %d.png", result.Images.Len()-1))
		return
	}
	scale, err := queryNumber(r, "scale", 1, 1, maxScale)
	if err == nil {
		err = fitsPixels(scale, 1, result.Images.Height*scale, result.Images.Width*scale)
	}
	if err != nil {
		problem.Send(w, err)
		return
	}
	file, err := a.press.encode(r.Context(), format{name: "png", scale: scale}, result.Images, i, result.Texts)
	sendFile(w, "image/png", fmt.Sprintf("%s-%d.png", j.id, i), file, err)
}

// jobGrid answers GET /v1/jobs/{id}/grid.png.
func (a *API) jobGrid(w http.ResponseWriter, r *http.Request) {
	j, result := a.drawn(w, r)
	if result == nil {
		return
	}
	g, err := layout(r, result.Images, 1)
	if err != nil {
		problem.Send(w, err)
		return
	}
	var out bytes.Buffer
	height, width := g.Size(result.Images.Height, result.Images.Width)
	err = a.press.run(r.Context(), height*width, func() error {
		m, err := picture.Grid(result.Images, g)
		if err != nil {
			return err
		}
		return picture.WritePNG(&out, m, result.Texts)
	})
	sendFile(w, "image/png", j.id+".png", out.Bytes(), err)
}

// jobNPY answers GET /v1/jobs/{id}/images.npy.
func (a *API) jobNPY(w http.ResponseWriter, r *http.Request) {
	j, result := a.drawn(w, r)
	if result == nil {
		return
	}
	fileHeader(w, "application/octet-stream", j.id+".npy")
	_ = picture.WriteNPY(w, result.Images) // a client that went away needs no answer
}

// A GIF shows a step for gifDelay and the images for gifHold, in 1/100 s. All its frames together
// have maxMovie pixels at most.
const (
	gifDelay = 8
	gifHold  = 200
	maxMovie = 32_000_000
)

// jobWay answers GET /v1/jobs/{id}/way.gif: the way of the grid from noise to images.
func (a *API) jobWay(w http.ResponseWriter, r *http.Request) {
	j, result := a.drawn(w, r)
	if result == nil {
		return
	}
	ways, steps := j.ways(result.Images.Len())
	if steps < 2 {
		problem.Write(w, http.StatusNotFound, problem.NotFound, "", "the job kept no states of the way: ask for them by states")
		return
	}
	g, err := layout(r, result.Images, steps)
	if err != nil {
		problem.Send(w, err)
		return
	}
	var file []byte
	height, width := g.Size(result.Images.Height, result.Images.Width)
	err = a.press.run(r.Context(), steps*height*width, func() error {
		file, err = movie(picture.Blank(j.model.Shape, len(ways)), ways, steps, g)
		return err
	})
	sendFile(w, "image/gif", j.id+".gif", file, err)
}

// ways returns the states that were kept of the way of each of n images, and how many the longest
// way has.
func (j *job) ways(n int) (ways [][][]byte, steps int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	ways = make([][][]byte, n)
	for _, e := range j.log {
		if e.kind == "state" && e.image < n {
			ways[e.image] = append(ways[e.image], e.bytes)
			steps = max(steps, len(ways[e.image]))
		}
	}
	return ways, steps
}

// movie writes the ways of images as a GIF. An image that has fewer steps than others waits at its
// end. frame holds the images of a step.
func movie(frame *picture.Images, ways [][][]byte, steps int, g picture.GridOptions) ([]byte, error) {
	m := &gif.GIF{}
	for k := range steps {
		for i, way := range ways {
			if len(way) > 0 {
				fromBytes(frame.Pixels[i*frame.ImageLen():][:frame.ImageLen()], way[min(k, len(way)-1)])
			}
		}
		grid, err := picture.Grid(frame, g)
		if err != nil {
			return nil, err
		}
		m.Image, m.Delay = append(m.Image, picture.Paletted(grid)), append(m.Delay, gifDelay)
		if frame.Channels%2 == 0 { // else a frame would shine through the next one
			m.Disposal = append(m.Disposal, gif.DisposalBackground)
		}
	}
	m.Delay[len(m.Delay)-1] = gifHold
	var out bytes.Buffer
	err := gif.EncodeAll(&out, m)
	return out.Bytes(), err
}

// layout reads how a grid is laid out from the query: as the command lays it out, but for scale and
// padding. It bounds the pixels of some frames of it.
func layout(r *http.Request, images *picture.Images, frames int) (picture.GridOptions, error) {
	g := picture.GridOptions{}.Square(max(images.Len(), 1))
	var err error
	if g.Scale, err = queryNumber(r, "scale", 1, 1, maxScale); err != nil {
		return g, err
	}
	if g.Padding, err = queryNumber(r, "padding", picture.DefaultPadding, 0, 64); err != nil {
		return g, err
	}
	if g.Padding == 0 {
		g.Padding = option.None
	}
	if err := g.Validate(images.Height, images.Width); err != nil {
		return g, err
	}
	h, w := g.Size(images.Height, images.Width)
	return g, fitsPixels(g.Scale, frames, h, w)
}

// fitsPixels reports a picture, or a movie of some frames, that is too large.
func fitsPixels(scale, frames, h, w int) error {
	limit := maxPixels
	if frames > 1 {
		limit = maxMovie
	}
	if h*w > limit/frames {
		return option.Errorf("scale", scale, "it makes %d frames of %dx%d pixels: take less, at most %d million are drawn",
			frames, w, h, limit/1_000_000)
	}
	return nil
}

// queryNumber reads a number from the query.
func queryNumber(r *http.Request, name string, usual, low, high int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, option.Errorf(name, option.Quoted(text), "a whole number from %d to %d is needed", low, high)
	}
	return n, nil
}

// sendFile sends a file of a finished job, which never changes. Only pictures are shown by
// browsers.
func sendFile(w http.ResponseWriter, kind, name string, file []byte, err error) {
	if err != nil {
		problem.Send(w, err)
		return
	}
	fileHeader(w, kind, name)
	w.Header().Set("Content-Length", strconv.Itoa(len(file)))
	_, _ = w.Write(file) // a client that went away needs no answer
}

// fileHeader sets the header of such a file but for its length.
func fileHeader(w http.ResponseWriter, kind, name string) {
	how := "attachment"
	if strings.HasPrefix(kind, "image/") {
		how = "inline"
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", fmt.Sprintf("%s; filename=%q", how, name))
	h.Set("Cache-Control", "private, max-age=3600, immutable")
}
