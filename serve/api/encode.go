package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"

	"github.com/HugoSmits86/nativewebp"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/picture"
)

// A format is how images are written.
type format struct {
	name    string // png, jpeg or webp
	quality int    // of JPEG, 1 to 100
	opaque  bool   // what is transparent is drawn over white
	scale   int    // each pixel is drawn as scale x scale pixels
}

// formats are the names of formats.
var formats = []string{"png", "jpeg", "webp"}

// Bounds on a picture that is made: a side, and all pixels of it.
const (
	maxScale  = 32
	maxPixels = 16_000_000
)

// A press writes pictures. Large ones take memory and time, so there are few of them at once.
type press struct {
	large chan struct{} // holds one for each that is written
}

// largePicture is from how many pixels on a picture is large, and largeAtOnce how many of these are
// written at once.
const (
	largePicture = 1 << 20
	largeAtOnce  = 2
)

func newPress() *press { return &press{make(chan struct{}, largeAtOnce)} }

// run calls what writes a picture of some pixels, when there is room for it. It returns ctx.Err()
// where ctx ends before.
func (p *press) run(ctx context.Context, pixels int, write func() error) error {
	if pixels >= largePicture {
		select {
		case p.large <- struct{}{}:
			defer func() { <-p.large }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return write()
}

// encode writes image i when the press has room for it.
func (p *press) encode(ctx context.Context, f format, images *picture.Images, i int, texts []picture.Text) (file []byte, err error) {
	err = p.run(ctx, images.Height*f.scale*images.Width*f.scale, func() error {
		file, err = f.encode(images, i, texts)
		return err
	})
	return file, err
}

// encode writes image i.
func (f format) encode(images *picture.Images, i int, texts []picture.Text) ([]byte, error) {
	m, err := picture.Grid(images.Slice(i, i+1), alone(f.scale))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = f.write(&out, m, texts)
	return out.Bytes(), err
}

// alone lays out one image without a border.
func alone(scale int) picture.GridOptions {
	return picture.GridOptions{Rows: 1, Cols: 1, Padding: option.None, Scale: scale}
}

// write writes a picture. PNGs carry texts.
func (f format) write(w io.Writer, m image.Image, texts []picture.Text) error {
	if sheer, ok := m.(picture.WithAlpha); ok && (f.opaque || f.name == "jpeg") {
		m = overWhite(sheer.NRGBA)
	}
	switch f.name {
	case "jpeg":
		return jpeg.Encode(w, m, &jpeg.Options{Quality: f.quality})
	case "webp":
		return writeWebP(w, m)
	default:
		return picture.WritePNG(w, m, texts)
	}
}

// writeWebP writes a picture without loss. A panic of the encoder is an error of this picture.
func writeWebP(w io.Writer, m image.Image) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the encoder of WebP failed: %v: take output_format png", v)
		}
	}()
	return nativewebp.Encode(w, m, nil)
}

// overWhite draws a picture over white.
func overWhite(m *image.NRGBA) image.Image {
	out := image.NewRGBA(m.Rect)
	draw.Draw(out, out.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(out, out.Rect, m, m.Rect.Min, draw.Over)
	return out
}

// text64 returns a file in base64.
func text64(file []byte) string { return base64.StdEncoding.EncodeToString(file) }

// single returns the numbers of one image as a set of one. It shares them.
func single(s pipeline.Shape, x []float32) *picture.Images {
	return &picture.Images{Height: s.Height, Width: s.Width, Channels: s.Channels, Pixels: x}
}

// toBytes returns numbers of an image as the bytes that a PNG has for them.
func toBytes(x []float32) []byte {
	out := make([]byte, len(x))
	for i, v := range x {
		out[i] = dataset.ToByte(v)
	}
	return out
}

// fromBytes undoes toBytes, but for its rounding: it writes into x.
func fromBytes(x []float32, b []byte) {
	for i, v := range b {
		x[i] = float32(v)/127.5 - 1
	}
}
