package nn

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/fmimg/fmimg/internal/golden"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/safetensors"
)

// readMuon reads the steps of PyTorch's Muon, and its settings.
func readMuon(t *testing.T) (*safetensors.File, MuonStep) {
	t.Helper()
	file, err := os.Open("testdata/muon.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f, err := safetensors.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		LR        float32 `json:"lr"`
		Momentum  float32 `json:"momentum"`
		Decay     float32 `json:"weight_decay"`
		GradScale float32 `json:"grad_scale"`
	}
	if err := json.Unmarshal([]byte(f.Metadata["muon"]), &s); err != nil {
		t.Fatal(err)
	}
	return f, MuonStep{LR: s.LR, Momentum: s.Momentum, Decay: s.Decay, GradScale: s.GradScale}
}

// Three steps leave the values and the momentum that PyTorch's Muon leaves in float64, for a tall,
// a wide and a square matrix and for a convolution. bench/peer/golden.py says where the two differ.
func TestMuonGolden(t *testing.T) {
	const steps = 3
	f, settings := readMuon(t)
	for _, isa := range kernels.Built() {
		t.Run(isa.String(), func(t *testing.T) {
			if _, err := kernels.Parse(isa.String()); err != nil {
				t.Skip(err)
			}
			p := &Params{}
			for _, name := range []string{"tall", "wide", "square", "conv"} {
				p.Add(name, HWIO, f.Tensor("before."+name).Shape...)
			}
			for _, q := range p.List {
				q.Import(p.Values, f.Tensor("before."+q.Name).F32)
			}
			muon := NewMuon(p, isa)
			if len(muon.Matrices) != len(p.List) {
				t.Fatalf("Muon steps %d of %d matrices", len(muon.Matrices), len(p.List))
			}
			work, grad, momentum := muon.NewWork(), make([]float32, p.Len()), make([]float32, p.Len())
			for step := range steps {
				for _, q := range muon.Matrices {
					tensor := func(kind string) []float32 {
						return f.Tensor(fmt.Sprintf("%s.%d.%s", kind, step, q.Name)).F32
					}
					q.Import(grad, tensor("grad"))
					muon.Step(work, q, p.Values, momentum, nil, grad, settings)
					after := fmt.Sprintf("%s after step %d", q.Name, step)
					golden.Check(t, "momentum of "+after, q.Export(momentum), tensor("momentum"), 0)
					golden.Check(t, after, q.Export(p.Values), tensor("after"), 0)
				}
			}
		})
	}
}
