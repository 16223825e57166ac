package diffusers

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// StemName is the weight of the first convolution, which every network of this kind has.
const StemName = "conv_in.weight"

// Weights returns the tensors of a file of diffusers under the names of fmimg's network, whose
// configuration is cfg, as [Config.Network] returns it with a size. The error lists tensors that
// are missing or of another shape, and those that the configuration does not tell of.
func (c *Config) Weights(f *safetensors.File, cfg unet.Config) (*safetensors.File, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	t := newTranslation(f, cfg)
	t.from.rename(presentName)
	t.missing = func(level int, up bool) bool { return !c.attendsAt(level, up) }
	t.noMiddle, t.noMiddleAttention = c.MidBlockType == nil, !c.hasMiddleAttention()
	t.outputs = c.OutChannels
	t.network()
	if !c.FlipSinToCos {
		if w := t.to.Tensor("time_embed.0.weight"); w != nil {
			w.F32 = swapHalves(w.F32, cfg.ModelChannels)
		}
	}
	return t.to, t.err()
}

// Tensors returns the tensors of a network of fmimg under the names of diffusers. c is what [Of]
// returns for its configuration.
func (c *Config) Tensors(m *unet.Model, dtype safetensors.DType) (*safetensors.File, error) {
	t := newTranslation(m.File(m.Params().Values, dtype, nil), m.Config())
	t.back, t.dtype, t.outputs = true, dtype, c.OutChannels
	t.to.Metadata = map[string]string{"format": "pt"}
	t.network()
	return t.to, t.err()
}

// attendsAt reports whether residual blocks of a level have attention, on the way down or up.
func (c *Config) attendsAt(level int, up bool) bool {
	if up {
		return strings.Contains(c.UpBlockTypes[len(c.UpBlockTypes)-1-level], "Attn")
	}
	return strings.Contains(c.DownBlockTypes[level], "Attn")
}

// A table finds the tensors of a file by name, and knows which were taken.
type table struct {
	tensors map[string]*safetensors.Tensor
	taken   map[string]bool
}

func (t *table) rename(name func(string) string) {
	for old, tensor := range t.tensors {
		if now := name(old); now != old {
			delete(t.tensors, old)
			t.tensors[now] = tensor
		}
	}
}

// presentName is the name that a tensor has today. Attention had others before version 0.16.
func presentName(name string) string {
	if !strings.Contains(name, "attentions.") {
		return name
	}
	return strings.NewReplacer(".query.", ".to_q.", ".key.", ".to_k.", ".value.", ".to_v.", ".proj_attn.", ".to_out.0.").Replace(name)
}

// A translation brings tensors from one network to the other.
type translation struct {
	cfg     unet.Config
	back    bool // from fmimg to diffusers
	from    table
	to      *safetensors.File
	dtype   safetensors.DType
	outputs int // channels of diffusers' last convolution
	bad     []string

	// What diffusers' network lacks.
	missing                     func(level int, up bool) bool // attention
	noMiddle, noMiddleAttention bool
}

func newTranslation(f *safetensors.File, cfg unet.Config) *translation {
	t := &translation{cfg: cfg, to: &safetensors.File{}, dtype: safetensors.F32}
	t.from = table{tensors: map[string]*safetensors.Tensor{}, taken: map[string]bool{}}
	for i := range f.Tensors {
		t.from.tensors[f.Tensors[i].Name] = &f.Tensors[i]
	}
	t.missing = func(int, bool) bool { return false }
	return t
}

// err lists what was wrong with the tensors.
func (t *translation) err() error {
	if len(t.bad) > 0 {
		return errors.New(some(t.bad, "tensors are not those of its config.json: "))
	}
	var left []string
	for name := range t.from.tensors {
		if !t.from.taken[name] {
			left = append(left, fmt.Sprintf("%.80s", name))
		}
	}
	slices.Sort(left)
	if len(left) > 0 {
		return errors.New(some(left, "tensors have no place in the network of its config.json: "))
	}
	return nil
}

// some lists the first of many.
func some(list []string, what string) string {
	const most = 4
	n, more := len(list), ""
	if n > most {
		list, more = list[:most], "; …"
	}
	return fmt.Sprintf("%d %s%s%s", n, what, strings.Join(list, "; "), more)
}

// take returns the numbers of a tensor, or nil.
func (t *translation) take(name string, shape ...int) []float32 {
	t.from.taken[name] = true
	tensor := t.from.tensors[name]
	switch {
	case tensor == nil:
		t.bad = append(t.bad, name+" is missing")
	case tensor.DType == safetensors.I64 || !slices.Equal(tensor.Shape, shape):
		t.bad = append(t.bad, fmt.Sprintf("%s is %s of shape %v, not floats of %v", name, tensor.DType, tensor.Shape, shape))
	default:
		return tensor.F32
	}
	return nil
}

func (t *translation) put(name string, numbers []float32, shape ...int) {
	t.to.Tensors = append(t.to.Tensors, safetensors.Tensor{Name: name, DType: t.dtype, Shape: shape, F32: numbers})
}

// names returns the name to take and the name to put.
func (t *translation) names(ours, theirs string) (from, to string) {
	if t.back {
		return ours, theirs
	}
	return theirs, ours
}

// copy takes a tensor over.
func (t *translation) copy(ours, theirs string, shape ...int) {
	from, to := t.names(ours, theirs)
	numbers := t.take(from, shape...)
	if t.cfg.Turned && len(shape) == 4 && shape[3] == 3 {
		numbers = turned(numbers)
	}
	t.put(to, numbers, shape...)
}

// layer takes over weight and bias.
func (t *translation) layer(ours, theirs string, shape ...int) {
	t.copy(ours+".weight", theirs+".weight", shape...)
	t.copy(ours+".bias", theirs+".bias", shape[0])
}

// turned returns kernels of 3x3 taps, turned by 180 degrees.
func turned(kernels []float32) []float32 {
	out := slices.Clone(kernels)
	for i := 0; i+9 <= len(out); i += 9 {
		slices.Reverse(out[i : i+9])
	}
	return out
}

// swapHalves swaps the halves of the rows of a matrix.
func swapHalves(rows []float32, columns int) []float32 {
	out, half := make([]float32, 0, len(rows)), columns/2
	for ; len(rows) >= columns && columns > 0; rows = rows[columns:] {
		out = append(append(out, rows[half:columns]...), rows[:half]...)
	}
	return out
}
