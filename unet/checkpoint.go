package unet

import (
	"errors"
	"fmt"
	"io"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/safetensors"
)

// ConfigKey is the metadata entry of a checkpoint that holds the configuration as JSON.
const ConfigKey = "fmimg.config"

// ErrNoConfig means that a file has no configuration of a network: fmimg did not make it.
var ErrNoConfig = errors.New("the metadata has no \"" + ConfigKey + "\": this is not a checkpoint made by fmimg")

// Load reads a checkpoint, a safetensors file whose metadata has [ConfigKey]. Without that key the
// error is an [ErrNoConfig]. The second result is all of the metadata.
func Load(r io.Reader, isa kernels.ISA) (*Model, map[string]string, error) {
	f, err := safetensors.Read(r)
	if err != nil {
		return nil, nil, err
	}
	cfg, err := FileConfig(f)
	if err != nil {
		return nil, nil, err
	}
	m, err := FromFile(f, cfg, isa)
	return m, f.Metadata, err
}

// FileConfig returns the configuration in a file's metadata, or an [ErrNoConfig].
func FileConfig(f *safetensors.File) (Config, error) {
	text, ok := f.Metadata[ConfigKey]
	if !ok {
		return Config{}, ErrNoConfig
	}
	return parseConfig([]byte(text))
}

// FromFile builds the network of a configuration with the weights in a file.
func FromFile(f *safetensors.File, cfg Config, isa kernels.ISA) (*Model, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("network configuration: %w", err)
	}
	if err := plausible(cfg, f); err != nil {
		return nil, err
	}
	m, err := New(cfg, isa, nil)
	if err != nil {
		return nil, err
	}
	if err := m.params.SetValues(f, "", m.params.Values); err != nil {
		return nil, err
	}
	m.Repack(0, 1)
	return m, nil
}

// plausible compares the configuration with the file before memory is taken, because the file may
// not hold such a large network. It looks for tensors that make up a good part of any network.
func plausible(cfg Config, f *safetensors.File) error {
	ch, width := cfg.ModelChannels, 4*cfg.ModelChannels
	down, up := cfg.plan()
	lowest := down[len(down)-1].out
	want := []safetensors.Tensor{
		{Name: "input_blocks.0.0.weight", Shape: []int{down[0].out, down[0].in, 3, 3}},
		{Name: "time_embed.0.weight", Shape: []int{width, ch}},
		{Name: "time_embed.2.weight", Shape: []int{width, width}},
		{Name: "middle_block.0.out_layers.3.weight", Shape: []int{lowest, lowest, 3, 3}},
	}
	if cfg.NumClasses > 0 {
		want = append(want, safetensors.Tensor{Name: "label_emb.weight", Shape: []int{cfg.NumClasses, width}})
	}
	for _, s := range append(down, up...) {
		name := s.name + ".0.out_layers.3.weight"
		if s.resample == kernels.Down3 {
			name = s.name + ".0.op.weight"
		}
		if s.name != down[0].name {
			want = append(want, safetensors.Tensor{Name: name, Shape: []int{s.out, s.out, 3, 3}})
		}
	}
	for _, w := range want {
		if _, err := f.Floats(w.Name, w.Shape...); err != nil {
			return err
		}
	}
	return nil
}

// File returns a checkpoint of the given values, a flat vector like Params().Values, with meta
// added to its metadata.
func (m *Model) File(values []float32, dtype safetensors.DType, meta map[string]string) *safetensors.File {
	f := safetensors.NewFile(ConfigKey, m.cfg, meta)
	m.params.AppendTensors(f, "", dtype, values)
	return f
}
