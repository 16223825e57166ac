package safetensors

import (
	"maps"
	"strings"
	"testing"
)

func TestNewFile(t *testing.T) {
	f := NewFile("config", struct {
		Widths []int `json:"widths"`
	}{[]int{1, 2}}, map[string]string{"note": "text"})
	want := map[string]string{"format": "pt", "config": `{"widths":[1,2]}`, "note": "text"}
	if !maps.Equal(f.Metadata, want) || f.Len() != 0 {
		t.Errorf("metadata %v, want %v; %d elements", f.Metadata, want, f.Len())
	}
}

func TestSetJSON(t *testing.T) {
	var f File
	if f.SetJSON("a", 7); f.Metadata["a"] != "7" {
		t.Errorf("metadata %v", f.Metadata)
	}
	defer func() {
		if message, _ := recover().(string); !strings.Contains(message, "metadata b") {
			t.Errorf("panic %q", message)
		}
	}()
	f.SetJSON("b", func() {})
}

func TestFloats(t *testing.T) {
	f := &File{Tensors: []Tensor{
		{Name: "a", DType: F32, Shape: []int{2, 1}, F32: []float32{3, 4}},
		{Name: "i", DType: I64, Shape: []int{1}, I64: []int64{5}},
	}}
	if f.Len() != 3 {
		t.Errorf("%d elements, want 3", f.Len())
	}
	if got, err := f.Floats("a", 2, 1); err != nil || len(got) != 2 || got[1] != 4 {
		t.Errorf("got %v, %v", got, err)
	}
	for name, want := range map[string]string{
		"a": "tensor a: wanted are floats of shape [1], the file has F32 of shape [2 1]",
		"b": "tensor b: wanted are floats of shape [1], the file has none",
		"i": "tensor i: wanted are floats of shape [1], the file has I64 of shape [1]",
	} {
		if _, err := f.Floats(name, 1); err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
