package fmimg_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/fmimg/fmimg"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/pipeline"
)

// Train a very small network for two steps, and draw a grid from it. A real run takes the preset
// base and some minutes.
func Example() {
	dir, err := os.MkdirTemp("", "fmimg")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	var o fmimg.TrainOptions
	o.Data, o.Preset, o.Out = "mnist", "tiny", filepath.Join(dir, "run")
	o.Steps, o.Batch, o.PreviewEvery = 2, 4, -1
	o.OnEvent = func(e fmimg.Event) {
		if e.Kind == pipeline.Stepped {
			fmt.Printf("step %d of %d\n", e.Step, e.Total)
		}
	}
	run, err := fmimg.Train(context.Background(), o)
	if err != nil {
		fmt.Println(err)
		return
	}

	m, err := fmimg.Open(run.Dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	sample := fmimg.SampleOptions{Count: 2, Seed: 1}
	sample.Steps = 2
	images, err := m.Sample(context.Background(), sample)
	if err != nil {
		fmt.Println(err)
		return
	}
	picture, err := fmimg.Grid(images, fmimg.GridOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(images.Len(), "images on a picture of", picture.Bounds().Size())
	// Output:
	// step 1 of 2
	// step 2 of 2
	// 2 images on a picture of (62,32)
}

// A service loads a model, here from files that may be embedded in it, and draws for several
// requests at once.
func ExampleOpenFS() {
	files := os.DirFS("unet/testdata") // or an embed.FS
	m, err := fmimg.OpenFS(files, "unet_small.safetensors")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	o := fmimg.SampleOptions{Count: 4, Class: "1", Seed: 7}
	o.Steps = 2
	images, err := m.Sample(ctx, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	picture, err := fmimg.Grid(images, fmimg.GridOptions{Padding: 1, Scale: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(images.Len(), "images of", images.Height, "x", images.Width, "on a picture of", picture.Bounds().Size())
	// Output: 4 images of 8 x 12 on a picture of (51,35)
}

// A model can come from anywhere: a file, an archive, a network connection.
func ExampleRead() {
	file, err := os.Open("unet/testdata/unet_small.safetensors")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	m, err := fmimg.Read(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Checkpoint().Params().Len(), "parameters, images of", m.Checkpoint().Shape())
	// Output: 318177 parameters, images of {8 12 1}
}

// discs are images of a program's own: gray discs of three sizes, each a class.
type discs struct{}

func (discs) Name() string         { return "discs" }
func (discs) Len() int             { return 300 }
func (discs) Shape() (h, w, c int) { return 8, 8, 1 }
func (discs) Classes() []string    { return []string{"small", "medium", "large"} }

// Image draws disc i around a place that depends on i.
func (discs) Image(i int, dst []float32) (label int) {
	label = i % 3
	x0, y0, radius := 2.5+float64(i%4), 2.5+float64(i/4%4), 1+float64(label)
	for k := range dst {
		dst[k] = -1 // black; 1 is white
		if math.Hypot(float64(k%8)-x0, float64(k/8)-y0) <= radius {
			dst[k] = 1
		}
	}
	return label
}

// Train on images of one's own: anything that implements dataset.Source. Some of them are held out
// for the validation loss.
func ExampleTrain_source() {
	dir, err := os.MkdirTemp("", "fmimg")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	var o fmimg.TrainOptions
	o.Source, o.Validation = dataset.Split(discs{}, 0.1, 1)
	o.Preset, o.Out = "tiny", filepath.Join(dir, "discs")
	o.Steps, o.Batch, o.PreviewEvery = 3, 8, -1
	run, err := fmimg.Train(context.Background(), o)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run.Steps, "steps on", o.Source.Len(), "images; validated:", run.Validation > 0)

	m, err := fmimg.Open(run.Dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	sample := fmimg.SampleOptions{Count: 4, Class: "large"}
	sample.Steps = 2
	images, err := m.Sample(context.Background(), sample)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(images.Len(), "images of classes", images.Labels)
	// Output:
	// 3 steps on 270 images; validated: true
	// 4 images of classes [2 2 2 2]
}
