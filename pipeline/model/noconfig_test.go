package model_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/safetensors"
)

// A file of tensors without a configuration is told from others by what it holds.
func TestNoConfig(t *testing.T) {
	one := safetensors.Tensor{Name: "lora.weight", DType: safetensors.F32, Shape: []int{1}, F32: []float32{1}}
	for want, metadata := range map[string]map[string]string{
		"it is the state of a run, not a model: name the run's folder, or model.safetensors in it": {model.StateKey: "{}"},
		"and its tensors are not those of this U-Net":                                              {},
	} {
		var b bytes.Buffer
		if err := safetensors.Write(&b, &safetensors.File{Metadata: metadata, Tensors: []safetensors.Tensor{one}}); err != nil {
			t.Fatal(err)
		}
		_, err := model.Read(&b, pipeline.Arithmetic{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "train on") {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
