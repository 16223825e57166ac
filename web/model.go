package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/pixel"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/unet"
)

// metaKey is the metadata entry of a checkpoint that says what the model is.
const metaKey = "fmimg.meta"

// meta is what a drawing must know of it.
type meta struct {
	Classes []string `json:"classes"`
	Jumps   []int    `json:"jumps"`
}

// A Model is a flow map of classes, ready to draw one image at a time. It is not safe for
// concurrent use.
type Model struct {
	meta    meta
	replica *unet.Replica
	config  unet.Config
}

// Read reads a checkpoint of a flow map with classes, in safetensors, up to the end of r.
func Read(r io.Reader, isa kernels.ISA) (*Model, error) {
	net, metadata, err := unet.Load(r, isa)
	if err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	m := &Model{config: net.Config()}
	if err := json.Unmarshal([]byte(metadata[metaKey]), &m.meta); err != nil {
		return nil, fmt.Errorf("read the model: metadata %s: %w", metaKey, err)
	}
	if !m.config.FlowMap || len(m.meta.Jumps) == 0 {
		return nil, errors.New("read the model: it is not a flow map: distil one of it")
	}
	if m.config.Classes() == 0 || len(m.meta.Classes) != m.config.Classes() {
		return nil, fmt.Errorf("read the model: %d names for %d classes: take a model of classes",
			len(m.meta.Classes), m.config.Classes())
	}
	m.replica = net.NewReplica(1, false)
	return m, nil
}

// Classes returns the names of the classes.
func (m *Model) Classes() []string { return slices.Clone(m.meta.Classes) }

// Steps returns the numbers of steps from noise to image that the model was trained for.
func (m *Model) Steps() []int { return slices.Clone(m.meta.Jumps) }

// Size returns the height, the width and the channels of an image.
func (m *Model) Size() (height, width, channels int) {
	return m.config.ImageSize[0], m.config.ImageSize[1], m.config.InChannels
}

// A Drawing says which image to draw: that of an index in a seed, as package sample counts them.
type Drawing struct {
	Seed  uint64
	Index uint64
	Class int // of Classes
	Steps int // one of Steps
}

// validate checks a drawing against the model.
func (m *Model) validate(d Drawing) error {
	if d.Class < 0 || d.Class >= len(m.meta.Classes) {
		return fmt.Errorf("class %d: choose one from 0 to %d", d.Class, len(m.meta.Classes)-1)
	}
	if !slices.Contains(m.meta.Jumps, d.Steps) {
		return fmt.Errorf("steps %d: choose one of %v", d.Steps, m.meta.Jumps)
	}
	return nil
}

// Draw draws an image, [H, W, C] and nominally in [-1, 1]. It shows each state to observe, from the
// noise of step 0 to the image of the last step; observe must not keep x. When ctx ends, Draw
// returns ctx.Err().
func (m *Model) Draw(ctx context.Context, d Drawing, observe func(step int, x []float32)) ([]float32, error) {
	if err := m.validate(d); err != nil {
		return nil, err
	}
	x, class := make([]float32, m.config.ImageLen()), []int32{int32(d.Class)}
	flow.Noise(x, d.Seed, d.Index)
	jump := func(u, x, t, lengths []float32, _ []int) { m.replica.Jump(u, x, t, lengths, nil, class) }
	field := flow.JumpField(flow.FlowMapFunc(jump), 1/float64(d.Steps))
	solver := flow.Jumps(d.Steps).Observed(func(step int, _ float64, x []float32) { observe(step, x) })
	if _, err := solver.Solve(ctx, field, x, 1, 0, 1); err != nil {
		return nil, err
	}
	return x, nil
}

// Bytes returns an image as bytes, as pictures have it.
func Bytes(x []float32) []byte {
	out := make([]byte, len(x))
	for i, v := range x {
		out[i] = pixel.ToByte(v)
	}
	return out
}
