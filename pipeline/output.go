package pipeline

import (
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
)

// An output is a form in which Generate writes images.
type output struct {
	grid     bool // images are laid out on one picture
	strip    bool // images may have moments of their way beside them
	inMemory bool // all images are held at once
	probe    func(path string) error
	write    func(ctx context.Context, s *Sampler, o *GenerateOptions) error
}

var (
	pngOutput    = &output{grid: true, strip: true, inMemory: true, probe: atomicfile.Probe, write: writeGridFile}
	stdoutOutput = &output{grid: true, strip: true, inMemory: true, probe: func(string) error { return nil }, write: writeGridStdout}
	gifOutput    = &output{grid: true, inMemory: true, probe: atomicfile.Probe, write: writeGIF}
	npyOutput    = &output{inMemory: true, probe: atomicfile.Probe, write: writeNPY}
	folderOutput = &output{probe: probeFolder, write: writeFolder}
)

// outputFor picks the form by the name of the output.
func outputFor(path string) (*output, error) {
	if path == "" {
		return nil, option.Errorf("out", "is needed: name a file, such as samples.png")
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
			return nil, option.Errorf("out", "%s: there is a folder of this name: name another file, or %s/ to write single images into it", path, path)
		}
		return folderOutput, nil
	}
	return form, err
}

// fileOutput picks the form of a file.
func fileOutput(path string) (*output, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".png":
		return pngOutput, nil
	case ".gif":
		return gifOutput, nil
	case ".npy":
		return npyOutput, nil
	}
	return nil, option.Errorf("out", "%s: its name must end in .png, .gif or .npy, or in / for a folder", path)
}

// probeFolder makes the folder, or accepts an empty one: old images would mix with the new ones.
func probeFolder(path string) error {
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
func drawGrid(ctx context.Context, s *Sampler, o *GenerateOptions) (image.Image, []Text, error) {
	if o.Strip > 0 {
		return drawStrip(ctx, s, o)
	}
	images, err := s.Draw(ctx, 0, o.Sample.Count)
	if err != nil {
		return nil, nil, err
	}
	picture, err := Grid(images, o.Grid)
	return picture, s.texts(images), err
}

func writeGridFile(ctx context.Context, s *Sampler, o *GenerateOptions) error {
	picture, texts, err := drawGrid(ctx, s, o)
	if err != nil {
		return err
	}
	return atomicfile.Write(o.Out, func(w io.Writer) error { return WritePNG(w, picture, texts) })
}

func writeGridStdout(ctx context.Context, s *Sampler, o *GenerateOptions) error {
	picture, texts, err := drawGrid(ctx, s, o)
	if err != nil {
		return err
	}
	return WritePNG(o.Stdout, picture, texts)
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
		for i := range images.Len() {
			one := images.slice(i, i+1)
			picture, err := Grid(one, GridOptions{Rows: 1, Cols: 1, Scale: o.Grid.Scale})
			if err != nil {
				return err
			}
			texts := append(s.texts(one), Text{"fmimg.index", fmt.Sprint(first + i)})
			name := fmt.Sprintf("%06d.png", first+i)
			if err := folder.Write(name, func(w io.Writer) error { return WritePNG(w, picture, texts) }); err != nil {
				return err
			}
		}
	}
	return folder.Sync()
}

// slice returns the images from..to-1, which share their pixels with s.
func (s *Images) slice(from, to int) *Images {
	part := *s
	part.Pixels = s.Pixels[from*s.imageLen() : to*s.imageLen()]
	if s.Labels != nil {
		part.Labels = s.Labels[from:to]
	}
	return &part
}

// writeNPY writes the numbers, nominally in [-1,1], as a float32 array [N, H, W, C].
func writeNPY(ctx context.Context, s *Sampler, o *GenerateOptions) error {
	images, err := s.Draw(ctx, 0, o.Sample.Count)
	if err != nil {
		return err
	}
	return atomicfile.Write(o.Out, func(w io.Writer) error { return encodeNPY(w, images) })
}

// encodeNPY writes version 1.0 of NumPy's format: magic, header length, a Python dictionary padded so
// that the data starts at a multiple of 64, the data.
func encodeNPY(w io.Writer, s *Images) error {
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d, %d, %d), }", s.Len(), s.Height, s.Width, s.Channels)
	const before = 10 // magic, version, length
	header += strings.Repeat(" ", 63-(before+len(header))%64) + "\n"
	out := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	if _, err := w.Write(append(out, header...)); err != nil {
		return err
	}
	buf := make([]byte, 0, 4*s.imageLen())
	for part := range slices.Chunk(s.Pixels, s.imageLen()) {
		buf = buf[:0]
		for _, v := range part {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// A GIF shows the steps of the solver at gifDelay and holds the last for gifHold, in 1/100 s.
const (
	gifDelay = 8
	gifHold  = 200
)

// writeGIF writes the way of the grid from noise to images: a frame for each step of the solver.
func writeGIF(ctx context.Context, s *Sampler, o *GenerateOptions) error {
	frames := s.opt.Steps + 1
	states := blankImages(s.ck.Shape(), o.Sample.Count)
	if len(states.Pixels) > maxElements/frames {
		return option.Errorf("steps", "%d: a GIF of so many frames of %d images is too large: write a .png", s.opt.Steps, o.Sample.Count)
	}
	way := make([][]float32, frames)
	for i := range way {
		way[i] = make([]float32, len(states.Pixels))
	}
	if _, err := s.draw(ctx, 0, o.Sample.Count, func(from, step int, x []float32) {
		copy(way[step][from*states.imageLen():], x)
	}); err != nil {
		return err
	}
	movie := &gif.GIF{}
	for i, x := range way {
		states.Pixels = x
		frame, err := Grid(states, o.Grid)
		if err != nil {
			return err
		}
		delay := gifDelay
		if i == len(way)-1 {
			delay = gifHold
		}
		movie.Image, movie.Delay = append(movie.Image, paletted(frame)), append(movie.Delay, delay)
	}
	return atomicfile.Write(o.Out, func(w io.Writer) error { return gif.EncodeAll(w, movie) })
}

// paletted reduces a frame to 256 colours: all grays, or a dithered general palette.
func paletted(m image.Image) *image.Paletted {
	if gray, ok := m.(*image.Gray); ok {
		return &image.Paletted{Pix: gray.Pix, Stride: gray.Stride, Rect: gray.Rect, Palette: grays}
	}
	p := image.NewPaletted(m.Bounds(), palette.Plan9)
	draw.FloydSteinberg.Draw(p, p.Bounds(), m, image.Point{})
	return p
}

var grays = func() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		p[i] = color.Gray{Y: uint8(i)}
	}
	return p
}()
