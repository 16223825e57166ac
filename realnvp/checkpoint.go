package realnvp

import (
	"encoding/json"
	"fmt"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/safetensors"
)

// ConfigKey is the metadata entry of a checkpoint that holds the configuration as JSON.
const ConfigKey = "fmimg.realnvp"

// File returns a checkpoint of values, a flat vector like Params().Values. meta is added to the
// metadata.
func (m *Model) File(values []float32, dtype safetensors.DType, meta map[string]string) *safetensors.File {
	f := safetensors.NewFile(ConfigKey, m.cfg, meta)
	m.params.AppendTensors(f, "", dtype, values)
	return f
}

// Holds reports whether a file is a checkpoint of this package.
func Holds(f *safetensors.File) bool {
	_, ok := f.Metadata[ConfigKey]
	return ok
}

// FileConfig returns the configuration in a file's metadata.
func FileConfig(f *safetensors.File) (Config, error) {
	var cfg Config
	if err := json.Unmarshal([]byte(f.Metadata[ConfigKey]), &cfg); err != nil {
		return cfg, fmt.Errorf("configuration of a normalizing flow: %w", err)
	}
	if err := cfg.Validate(); err != nil {
		return cfg, fmt.Errorf("configuration of a normalizing flow: %w", err)
	}
	return cfg, nil
}

// FromFile builds the flow that a checkpoint holds.
func FromFile(f *safetensors.File, isa kernels.ISA) (*Model, error) {
	cfg, err := FileConfig(f)
	if err != nil {
		return nil, err
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

// plausible compares the sizes of configuration and file, before memory is taken for weights that
// the file lacks.
func plausible(cfg Config, f *safetensors.File) error {
	need, have := 0, f.Len()
	for _, s := range cfg.Convs() {
		need += s.Kind.Side() * s.Kind.Side() * s.IC * s.OC
	}
	if need > have {
		return fmt.Errorf("the configuration is that of a larger network: %d weights, of which the file holds %d",
			need, have)
	}
	return nil
}
