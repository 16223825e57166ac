package realnvp

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/safetensors"
)

func TestCheckpoint(t *testing.T) {
	m, err := New(tiny, kernels.Best(), rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	f := m.File(m.Params().Values, safetensors.F32, map[string]string{"more": "text"})
	if !Holds(f) || Holds(&safetensors.File{}) || f.Metadata["more"] != "text" {
		t.Errorf("metadata %v", f.Metadata)
	}
	again, err := FromFile(f, kernels.Best())
	if err != nil || again.Config() != tiny || !slices.Equal(again.Params().Values, m.Params().Values) {
		t.Errorf("%+v, %v", again, err)
	}
	for want, change := range map[string]func(f *safetensors.File){
		"configuration": func(f *safetensors.File) { f.Metadata[ConfigKey] = "{" },
		"norm_groups": func(f *safetensors.File) {
			f.Metadata[ConfigKey] = strings.Replace(f.Metadata[ConfigKey], `"norm_groups":2`, `"norm_groups":3`, 1)
		},
		"larger network": func(f *safetensors.File) {
			text := f.Metadata[ConfigKey]
			f.Metadata[ConfigKey] = strings.Replace(text, `"hidden_channels":4`, `"hidden_channels":1024`, 1)
		},
		"layers.0": func(f *safetensors.File) { f.Tensors[0].Name = "other" },
	} {
		f := m.File(m.Params().Values, safetensors.F32, nil)
		change(f)
		if _, err := FromFile(f, kernels.Best()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestConvs: Convs lists as many convolutions, with as many weights, as the network has.
func TestConvs(t *testing.T) {
	for _, size := range []int{8, 28} {
		cfg, err := Preset("tiny", size, size, 3)
		if err != nil {
			t.Fatal(err)
		}
		m, err := New(cfg, kernels.Generic, nil)
		if err != nil {
			t.Fatal(err)
		}
		convs, weights := 0, 0
		for _, p := range m.Params().List {
			if len(p.Shape) == 4 {
				convs, weights = convs+1, weights+p.Len()
			}
		}
		for _, s := range cfg.Convs() {
			convs, weights = convs-1, weights-s.Kind.Side()*s.Kind.Side()*s.IC*s.OC
		}
		if convs != 0 || weights != 0 {
			t.Errorf("%d: %d convolutions and %d weights too few", size, convs, weights)
		}
	}
}
