package model

import (
	"io"

	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/safetensors"
)

// SafetensorsFormat is the name of the format of model files.
const SafetensorsFormat = "safetensors"

// Export writes a model to a file of its own. model is a path or a name as for [Open], but the
// empty name is the newest run alone. half rounds the weights to float16, which halves the size.
func Export(model, out string, half bool) error {
	if out == "" {
		return option.Errorf("out", nil, "is needed: name a file, such as model.safetensors")
	}
	model, err := NameOrNewest(model)
	if err != nil {
		return err
	}
	onAny := pipeline.Arithmetic{ISA: kernels.Generic.String()} // nothing is computed
	ck, err := Open(model, onAny)
	if err != nil {
		return err
	}
	if regular.Same(ck.Path, out) {
		return option.Errorf("out", out, "it is the model itself: name another file")
	}
	if err := atomicfile.Probe(out); err != nil {
		return err
	}
	dtype := safetensors.F32
	if half {
		dtype = safetensors.F16
	}
	return atomicfile.Write(out, func(w io.Writer) error {
		return WriteCheckpoint(w, ck, ck.Params().Values, dtype, ck.Meta)
	})
}
