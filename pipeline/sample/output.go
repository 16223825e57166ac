package sample

import (
	"context"
	"fmt"
	"image"
	"image/gif"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// An output is a form in which [Generate] writes images.
type output struct {
	grid     bool // images are laid out on one picture
	strip    bool // a strip is possible: moments of a trajectory side by side
	inMemory bool // all images are held at once
	probe    func(path string) error
	write    func(ctx context.Context, s *Sampler, o *GenerateOptions) error
}

var (
	pngOutput    = &output{grid: true, strip: true, inMemory: true, probe: atomicfile.Probe, write: writeGridFile}
	stdoutOutput = &output{
		grid: true, strip: true, inMemory: true,
		probe: func(string) error { return nil }, write: writeGridStdout,
	}
	gifOutput    = &output{grid: true, inMemory: true, probe: atomicfile.Probe, write: writeGIF}
	npyOutput    = &output{inMemory: true, probe: atomicfile.Probe, write: writeNPY}
	folderOutput = &output{probe: probeFolder, write: writeFolder}
)

// outputFor returns the form that the name of the output asks for.
func outputFor(path string) (*output, error) {
	if path == "" {
		return nil, option.Errorf("out", nil, "is needed: name a file, such as samples.png")
	}
	if path == "-" {
		return stdoutOutput, nil
	}
	if strings.HasSuffix(path, "/") || os.IsPathSeparator(path[len(path)-1]) {
		return folderOutput, nil
	}
	form, err := fileOutput(path)
	if info, missing := os.Stat(path); missing == nil && info.IsDir() {
		if err == nil {
			return nil, option.Errorf("out", path,
				"there is a folder of this name: name another file, or %s/ to write single images into it", path)
		}
		return folderOutput, nil
	}
	return form, err
}

// fileOutput returns the form that the ending of a file's name asks for.
func fileOutput(path string) (*output, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".png":
		return pngOutput, nil
	case ".gif":
		return gifOutput, nil
	case ".npy":
		return npyOutput, nil
	}
	return nil, option.Errorf("out", path, "its name must end in .png, .gif or .npy, or in / for a folder")
}

// probeFolder makes the folder, or accepts an empty one. In another folder, old images would mix
// with the new ones.
func probeFolder(path string) error {
	if regular.CheckURL(path) != nil {
		return option.Errorf("out", path, "nothing is sent to the web: name a folder on this machine")
	}
	if info, err := os.Stat(filepath.Clean(path)); err == nil && !info.IsDir() {
		return fmt.Errorf("cannot make the folder %s: there is a file of this name: name another folder", path)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("cannot make the folder %s: %w", path, regular.Reason(err))
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("the folder %s is not empty: name another one, or empty it first", path)
	}
	return atomicfile.Probe(filepath.Join(path, "000000.png"))
}

// drawGrid draws all images on one picture.
func drawGrid(ctx context.Context, s *Sampler, o *GenerateOptions) (image.Image, []picture.Text, error) {
	if o.Strip > 0 {
		return drawStrip(ctx, s, o)
	}
	images, err := s.Draw(ctx, 0, o.Sample.Count)
	if err != nil {
		return nil, nil, err
	}
	img, err := picture.Grid(images, o.Grid)
	return img, s.Texts(images), err
}

func writeGridFile(ctx context.Context, s *Sampler, o *GenerateOptions) error {
	img, texts, err := drawGrid(ctx, s, o)
	if err != nil {
		return err
	}
	return o.writeFile(func(w io.Writer) error { return picture.WritePNG(w, img, texts) })
}

func writeGridStdout(ctx context.Context, s *Sampler, o *GenerateOptions) error {
	img, texts, err := drawGrid(ctx, s, o)
	if err != nil {
		return err
	}
	return pipeline.Lead(o.Sample.Ranks, func() error { return picture.WritePNG(o.Stdout, img, texts) })
}

// folderBlock is the number of images that are drawn before they are written to a folder.
const folderBlock = 256

// writeFolder writes each image to a PNG of its own, named by its index.
func writeFolder(ctx context.Context, s *Sampler, o *GenerateOptions) error {
	folder := &atomicfile.Folder{Path: o.Out}
	for first := 0; first < o.Sample.Count; first += folderBlock {
		images, err := s.Draw(ctx, first, min(folderBlock, o.Sample.Count-first))
		if err != nil {
			return err
		}
		write := func() error { return writeSingle(folder, s, o, images, first) }
		if err := pipeline.Lead(o.Sample.Ranks, write); err != nil {
			return err
		}
	}
	return pipeline.Lead(o.Sample.Ranks, folder.Sync)
}

// writeSingle writes images to PNGs of their own, of which the first has the given index.
func writeSingle(folder *atomicfile.Folder, s *Sampler, o *GenerateOptions, images *picture.Images, first int) error {
	for i := range images.Len() {
		one := images.Slice(i, i+1)
		alone := picture.GridOptions{Rows: 1, Cols: 1, Padding: option.None, Scale: o.Grid.Scale}
		img, err := picture.Grid(one, alone)
		if err != nil {
			return err
		}
		texts := append(s.Texts(one), picture.Text{"fmimg.index", fmt.Sprint(first + i)})
		name := fmt.Sprintf("%06d.png", first+i)
		write := func(w io.Writer) error { return picture.WritePNG(w, img, texts) }
		if err := folder.Write(name, write); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes the output, on rank 0 where there are several.
func (o *GenerateOptions) writeFile(fill func(w io.Writer) error) error {
	return pipeline.Lead(o.Sample.Ranks, func() error { return atomicfile.Write(o.Out, fill) })
}

// writeNPY writes the images as a float32 array [N, H, W, C], with numbers nominally in [-1, 1].
func writeNPY(ctx context.Context, s *Sampler, o *GenerateOptions) error {
	images, err := s.Draw(ctx, 0, o.Sample.Count)
	if err != nil {
		return err
	}
	return o.writeFile(func(w io.Writer) error { return picture.WriteNPY(w, images) })
}

// A GIF shows the steps of the solver at gifDelay and holds the last for gifHold, in 1/100 s.
const (
	gifDelay = 8
	gifHold  = 200
)

// writeGIF writes the trajectory of the grid from noise to images, with a frame for each step of
// the solver.
func writeGIF(ctx context.Context, s *Sampler, o *GenerateOptions) error {
	frames := s.opt.Steps + 1
	states := picture.Blank(s.ck.Shape(), o.Sample.Count)
	if len(states.Pixels) > MaxElements/frames {
		return option.Errorf("steps", s.opt.Steps,
			"a GIF of so many frames of %s is too large: write a .png",
			text.Count(o.Sample.Count, "image", "images"))
	}
	way := make([][]float32, frames)
	for i := range way {
		way[i] = make([]float32, len(states.Pixels))
	}
	if _, err := s.DrawFrames(ctx, 0, o.Sample.Count, func(from, step int, x []float32) {
		copy(way[step][from*states.ImageLen():], x)
	}); err != nil {
		return err
	}
	for _, x := range way {
		if err := s.pool.Complete(x, states.ImageLen()); err != nil {
			return err
		}
	}
	return o.writeFile(func(w io.Writer) error { return encodeGIF(w, way, states, s, o) })
}

// encodeGIF writes the states of a trajectory as a GIF. states has room for one of them.
func encodeGIF(w io.Writer, way [][]float32, states *picture.Images, s *Sampler, o *GenerateOptions) error {
	movie := &gif.GIF{}
	for i, x := range way {
		states.Pixels = x
		frame, err := picture.Grid(states, o.Grid)
		if err != nil {
			return err
		}
		delay := gifDelay
		if i == len(way)-1 {
			delay = gifHold
		}
		movie.Image, movie.Delay = append(movie.Image, picture.Paletted(frame)), append(movie.Delay, delay)
		if states.HasAlpha() { // else a frame would shine through the next one
			movie.Disposal = append(movie.Disposal, gif.DisposalBackground)
		}
	}
	if f := s.opt.OnEvent; f != nil && states.HasAlpha() {
		f(pipeline.Note("a pixel of a GIF is transparent or opaque: each is what it is nearer to. " +
			"A .png keeps what lies between"))
	}
	return gif.EncodeAll(w, movie)
}
