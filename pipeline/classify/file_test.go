package classify

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/safetensors"
)

// testReference returns statistics of random features.
func testReference() *Reference {
	r, err := NewReference("zoo/test", metrics.Features{N: 20, D: 8, Data: kernelstest.Normals(rand.New(rand.NewPCG(9, 9)), 20*8)}, metrics.Compute{})
	if err != nil {
		panic(err)
	}
	return r
}

func written(t *testing.T, f *safetensors.File) *bytes.Buffer {
	t.Helper()
	var buf bytes.Buffer
	if err := safetensors.Write(&buf, f); err != nil {
		t.Fatal(err)
	}
	return &buf
}

// What is written is read again: in float32 to the bit, in float16 but for its rounding.
func TestClassifierFile(t *testing.T) {
	c, _ := newSmall(t, kernels.Best())
	for _, dtype := range []safetensors.DType{safetensors.F32, safetensors.F16} {
		for _, ref := range []*Reference{nil, testReference()} {
			got, err := Read(written(t, c.File(c.params.Values, dtype, ref, map[string]string{"note": "x"})), kernels.Best())
			if err != nil {
				t.Fatal(err)
			}
			if h, w, ch := got.Shape(); h != 11 || w != 9 || ch != 3 || got.Dim() != 8 || !slices.Equal(got.Classes(), c.Classes()) {
				t.Errorf("shape %dx%dx%d, %d features, classes %v", h, w, ch, got.Dim(), got.Classes())
			}
			for i, v := range got.params.Values {
				// float16 has 11 bits: half a unit of its last place is at most 2⁻¹¹ of the number.
				if want := c.params.Values[i]; dtype == safetensors.F32 && v != want || math.Abs(float64(v-want)) > math.Abs(float64(want))/2048+1e-7 {
					t.Fatalf("%s: parameter %d is %v, want %v", dtype, i, v, want)
				}
			}
			r := got.Reference()
			if (r == nil) != (ref == nil) {
				t.Fatalf("reference %v, want %v", r, ref)
			}
			if r != nil && (r.Data != ref.Data || r.Images != 20 || !slices.Equal(r.Mean, ref.Mean) || !slices.Equal(r.Covariance, ref.Covariance)) {
				t.Errorf("reference %+v, want %+v", r, ref)
			}
		}
	}
}

// Nothing but a whole classifier's file is taken.
func TestReadClassifierRefuses(t *testing.T) {
	c, _ := newSmall(t, kernels.Generic)
	file := func(change func(f *safetensors.File)) *safetensors.File {
		f := c.File(c.params.Values, safetensors.F32, testReference(), nil)
		change(f)
		return f
	}
	for want, f := range map[string]*safetensors.File{
		"this is no classifier":                file(func(f *safetensors.File) { delete(f.Metadata, ConfigKey) }),
		"classifier configuration: unexpected": file(func(f *safetensors.File) { f.Metadata[ConfigKey] = "{" }),
		"classifier configuration: widths":     file(func(f *safetensors.File) { f.Metadata[ConfigKey] = "{\"image_size\":[1,1],\"in_channels\":1}" }),
		"parameters, the file holds": file(func(f *safetensors.File) {
			f.Metadata[ConfigKey] = strings.Replace(f.Metadata[ConfigKey], `"blocks":[1,0,2]`, `"blocks":[16,16,16]`, 1)
		}),
		"tensor readout.weight: wanted": file(func(f *safetensors.File) { f.Tensor("readout.weight").Shape = []int{8, 3} }),
		"tensor stem.weight: wanted":    file(func(f *safetensors.File) { f.Tensor("stem.weight").Name = "stern.weight" }),
		"the file holds": file(func(f *safetensors.File) {
			f.Tensors = append(f.Tensors, safetensors.Tensor{Name: "more", DType: safetensors.F32, Shape: []int{1}, F32: []float32{1}})
		}),
		"metadata fmimg.reference":                 file(func(f *safetensors.File) { delete(f.Metadata, referenceKey) }),
		"tensor reference.mean: wanted":       file(func(f *safetensors.File) { f.Tensor(meanName).Shape = []int{2, 4} }),
		"tensor reference.covariance: wanted": file(func(f *safetensors.File) { f.Tensor(covarianceName).Name = "reference.more" }),
		"3 in place of 2": file(func(f *safetensors.File) {
			f.Tensors = append(f.Tensors, safetensors.Tensor{Name: "reference.more", DType: safetensors.F32, Shape: []int{1}, F32: []float32{1}})
		}),
		"belongs to no covariance": file(func(f *safetensors.File) { f.Tensor(covarianceName).F32[1]++ }),
		"statistics of 1 images":   file(func(f *safetensors.File) { f.Metadata[referenceKey] = `{"data":"a","images":1}` }),
	} {
		if _, err := Read(written(t, f), kernels.Generic); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := Read(strings.NewReader("GIF89a"), kernels.Generic); err == nil {
		t.Error("a picture is a classifier")
	}
}

// Mean and covariance by their definitions, in one pass over pairs each.
func TestReference(t *testing.T) {
	const n, dim = 50, 3
	rng := rand.New(rand.NewPCG(11, 12))
	x := kernelstest.Normals(rng, n*dim)
	for i := range n { // a correlation to find, around a mean far from zero
		x[i*dim+1] = 100 + x[i*dim]/2
	}
	r, err := NewReference("x", metrics.Features{N: n, D: dim, Data: x}, metrics.Compute{})
	if err != nil {
		t.Fatal(err)
	}
	for j := range dim {
		for k := range dim {
			// Σ (xᵢ-yᵢ')… over all pairs is 2n(n-1) times the covariance, without any mean.
			var sum, mean float64
			for a := range n {
				mean += float64(x[a*dim+j]) / n
				for b := range n {
					sum += float64(x[a*dim+j]-x[b*dim+j]) * float64(x[a*dim+k]-x[b*dim+k])
				}
			}
			want := sum / (2 * n * (n - 1))
			// float32 numbers near 100 are rounded to 4e-6, which is what the features lost before.
			if got := float64(r.Covariance[j*dim+k]); math.Abs(got-want) > 1e-5 {
				t.Errorf("covariance (%d,%d) is %v, want %v", j, k, got, want)
			}
			if math.Abs(float64(r.Mean[j])-mean) > 1e-5 {
				t.Errorf("mean %d is %v, want %v", j, r.Mean[j], mean)
			}
		}
	}
}

// A hostile file costs an error, not memory or a panic. The file to begin with is as small as one can be, which
// fuzzing needs.
func FuzzReadClassifier(f *testing.F) {
	cfg := Config{ImageSize: [2]int{1, 1}, InChannels: 1, Widths: []int{1}, Blocks: []int{0}, NormGroups: 1, Classes: []string{"", ""}}
	c, err := NewNetwork(cfg, kernels.Generic, nil)
	if err != nil {
		f.Fatal(err)
	}
	reference := &Reference{Images: 2, Mean: []float32{0}, Covariance: []float32{1}}
	for _, reference := range []*Reference{nil, reference} {
		var buf bytes.Buffer
		if err := safetensors.Write(&buf, c.File(c.params.Values, safetensors.F16, reference, nil)); err != nil {
			f.Fatal(err)
		}
		f.Add(buf.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Read(bytes.NewReader(data), kernels.Generic)
		if err == nil && c.params.Len() != c.cfg.Parameters() {
			t.Errorf("%d parameters, %d announced", c.params.Len(), c.cfg.Parameters())
		}
	})
}
