//go:build !js

package page_test

import (
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/internal/browsertest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/pipeline/train"
	"github.com/fmimg/fmimg/serve"
	"github.com/fmimg/fmimg/serve/draw"
)

// commandLine is what the server says makes the same images.
const commandLine = "draw the same"

// served is the server that all tests share but those that end one.
var served struct {
	once   sync.Once
	origin string
	err    error
	end    func()
	folder string // removed behind all tests
}

// serveAll returns the address of a server with two runs and a folder of data.
func serveAll(t *testing.T) string {
	t.Helper()
	browsertest.Need(t)
	served.once.Do(func() {
		served.folder, served.err = os.MkdirTemp("", "page") //nolint:usetesting // several tests share it
		if served.err == nil {
			served.err = prepare(served.folder)
		}
		if served.err == nil {
			served.origin, served.end, served.err = start(served.folder, "127.0.0.1:0", "")
		}
	})
	if served.err != nil {
		t.Fatal(served.err)
	}
	return served.origin
}

// endServed ends the server that serveAll began, if it did.
func endServed() {
	if served.end != nil {
		served.end()
	}
	if served.folder != "" {
		os.RemoveAll(served.folder)
	}
}

// start starts a server over a folder's data and runs. It returns its address, and what ends it.
func start(folder, addr, tokenFile string) (origin string, end func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	at, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- serve.Serve(ctx, serve.Options{
			Addr: addr, TokenFile: tokenFile, Runs: filepath.Join(folder, "runs"), Data: filepath.Join(folder, "data"),
			Command: func(draw.Request, draw.Model) string { return commandLine },
			OnEvent: func(e pipeline.Event) {
				if e.Kind == pipeline.Started {
					at <- e.Path
				}
			},
		})
	}()
	select {
	case url := <-at:
		return strings.TrimSuffix(url, "/"), func() {
			cancel()
			if err := <-ended; err != nil {
				panic(err)
			}
		}, nil
	case err := <-ended:
		cancel()
		return "", nil, err
	}
}

// prepare makes pictures of two classes below data, and two short runs on them below runs.
func prepare(folder string) error {
	for i := range 24 {
		if err := stripes(filepath.Join(folder, "data", "stripes"), i); err != nil {
			return err
		}
	}
	for name, steps := range map[string]int{"digits": 12, "smaller": 6} {
		_, err := train.Train(context.Background(), train.Options{
			Options:        run.Options{Out: filepath.Join(folder, "runs", name), Budget: run.Budget{Steps: steps}},
			DataOptions:    feed.DataOptions{Data: filepath.Join(folder, "data", "stripes"), Size: pipeline.Square(8)},
			NetworkOptions: train.NetworkOptions{Preset: "tiny"},
		})
		if err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond) // so that one is newer
	}
	return nil
}

// stripes writes a picture of stripes, across or upright, into the folder of its class.
func stripes(folder string, i int) error {
	class := []string{"across", "upright"}[i%2]
	if err := os.MkdirAll(filepath.Join(folder, class), 0o755); err != nil {
		return err
	}
	m := image.NewGray(image.Rect(0, 0, 8, 8))
	for y := range 8 {
		for x := range 8 {
			if at := []int{y, x}[i%2]; (at+i/2)%4 < 2 {
				m.SetGray(x, y, color.Gray{255})
			}
		}
	}
	file, err := os.Create(filepath.Join(folder, class, strconv.Itoa(i)+".png"))
	if err != nil {
		return err
	}
	if err := png.Encode(file, m); err != nil {
		return err
	}
	return file.Close()
}
