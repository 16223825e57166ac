//go:build js

// Command wasm draws images for worker.js, which runs it in a browser. It gives JavaScript one
// function, fmimgModel.
package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"syscall/js"
	"time"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/web"
)

func main() {
	js.Global().Set("fmimgModel", js.FuncOf(load))
	select {} // JavaScript calls it from now on
}

// load is fmimgModel(checkpoint: Uint8Array). It returns an object that describes the model and
// draws with it, or a text that says why there is none.
func load(_ js.Value, args []js.Value) any {
	file := make([]byte, args[0].Length())
	js.CopyBytesToGo(file, args[0])
	m, err := web.Read(bytes.NewReader(file), kernels.Generic)
	if err != nil {
		return err.Error()
	}
	height, width, channels := m.Size()
	p := &player{model: m}
	return map[string]any{
		"classes": list(m.Classes()), "steps": list(m.Steps()),
		"height": height, "width": width, "channels": channels,
		"draw": js.FuncOf(p.draw), "stop": js.FuncOf(p.stop),
	}
}

// list returns a slice as JavaScript takes it.
func list[T any](values []T) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	return all
}

// A player draws one image at a time.
type player struct {
	model  *web.Model
	cancel context.CancelFunc // nil while nothing is drawn
}

// draw is draw({seed: string, index, class, steps}, state: (step, pixels: Uint8Array) => void). It
// returns a promise of nothing, which fails with a text. Between the steps messages can come in.
func (p *player) draw(_ js.Value, args []js.Value) any {
	what, state := args[0], args[1]
	return promise(func() error {
		seed, err := strconv.ParseUint(what.Get("seed").String(), 10, 64)
		if err != nil {
			return fmt.Errorf("seed %s: a whole number from 0 to 2⁶⁴−1 is needed", what.Get("seed").String())
		}
		ctx, cancel := context.WithCancel(context.Background())
		p.cancel = cancel
		defer cancel()
		_, err = p.model.Draw(ctx, web.Drawing{
			Seed: seed, Index: uint64(what.Get("index").Int()), Class: what.Get("class").Int(), Steps: what.Get("steps").Int(),
		}, func(step int, x []float32) {
			state.Invoke(step, bytesOf(x))
			time.Sleep(time.Millisecond) // gives the worker back for a moment
		})
		return err
	})
}

// stop is stop(): the drawing that is under way ends after its step.
func (p *player) stop(js.Value, []js.Value) any {
	if p.cancel != nil {
		p.cancel()
	}
	return nil
}

// bytesOf returns an image as a Uint8Array.
func bytesOf(x []float32) js.Value {
	b := web.Bytes(x)
	array := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(array, b)
	return array
}

// promise runs a function and returns a Promise of its end.
func promise(run func() error) js.Value {
	var start js.Func
	start = js.FuncOf(func(_ js.Value, args []js.Value) any {
		start.Release()
		go func() {
			if err := run(); err != nil {
				args[1].Invoke(err.Error())
				return
			}
			args[0].Invoke()
		}()
		return nil
	})
	return js.Global().Get("Promise").New(start)
}
