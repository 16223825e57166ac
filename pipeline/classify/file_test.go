package classify

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/kernels/kernelstest"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/safetensors"
)

// sampleReference returns statistics of random features.
func sampleReference() *Reference {
	data := kernelstest.Normals(rand.New(rand.NewPCG(9, 9)), 20*8)
	r, err := NewReference("zoo/test", metrics.Features{N: 20, D: 8, Data: data}, metrics.Compute{})
	if err != nil {
		panic(err)
	}
	return r
}

// written returns the bytes of a file.
func written(t *testing.T, f *safetensors.File) *bytes.Buffer {
	t.Helper()
	var buf bytes.Buffer
	if err := safetensors.Write(&buf, f); err != nil {
		t.Fatal(err)
	}
	return &buf
}

// A file that is written reads back: in float32 to the bit, in float16 up to rounding.
func TestFile(t *testing.T) {
	c, _ := newSmall(t, kernels.Best())
	for _, dtype := range []safetensors.DType{safetensors.F32, safetensors.F16} {
		for _, ref := range []*Reference{nil, sampleReference()} {
			file := written(t, c.File(c.params.Values, dtype, ref, map[string]string{"note": "x"}))
			got, err := Read(file, kernels.Best())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Config(), c.Config()) {
				t.Errorf("configuration %+v, want %+v", got.Config(), c.Config())
			}
			for i, v := range got.params.Values {
				want := c.params.Values[i]
				// float16 has 11 bits: half a unit of its last place is at most 2⁻¹¹ of the number.
				bound := math.Abs(float64(want))/2048 + 1e-7
				if dtype == safetensors.F32 && v != want || math.Abs(float64(v-want)) > bound {
					t.Fatalf("%s: parameter %d is %v, want %v", dtype, i, v, want)
				}
			}
			if r := got.Reference(); !reflect.DeepEqual(r, ref) {
				t.Errorf("reference %+v, want %+v", r, ref)
			}
		}
	}
}

// Read refuses every file that is not a whole file of a classifier.
func TestReadRefuses(t *testing.T) {
	c, _ := newSmall(t, kernels.Generic)
	reshape := func(name string, shape ...int) func(f *safetensors.File) {
		return func(f *safetensors.File) { f.Tensor(name).Shape = shape }
	}
	rename := func(name, to string) func(f *safetensors.File) {
		return func(f *safetensors.File) { f.Tensor(name).Name = to }
	}
	add := func(name string) func(f *safetensors.File) {
		return func(f *safetensors.File) {
			t := safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: []int{1}, F32: []float32{1}}
			f.Tensors = append(f.Tensors, t)
		}
	}
	metadata := func(key, text string) func(f *safetensors.File) {
		return func(f *safetensors.File) { f.Metadata[key] = text }
	}
	for want, change := range map[string]func(f *safetensors.File){
		"this is no classifier":                func(f *safetensors.File) { delete(f.Metadata, ConfigKey) },
		"classifier configuration: unexpected": metadata(ConfigKey, "{"),
		"classifier configuration: widths":     metadata(ConfigKey, `{"image_size":[1,1],"in_channels":1}`),
		"parameters, the file holds": func(f *safetensors.File) {
			f.Metadata[ConfigKey] = strings.Replace(f.Metadata[ConfigKey], `"blocks":[1,0,2]`, `"blocks":[16,16,16]`, 1)
		},
		"tensor readout.weight: wanted":       reshape("readout.weight", 8, 3),
		"tensor stem.weight: wanted":          rename("stem.weight", "stern.weight"),
		"the file holds":                      add("more"),
		"metadata fmimg.reference":            func(f *safetensors.File) { delete(f.Metadata, referenceKey) },
		"tensor reference.mean: wanted":       reshape(meanName, 2, 4),
		"tensor reference.covariance: wanted": rename(covarianceName, "reference.more"),
		"3 in place of 2":                     add("reference.more"),
		"belongs to no covariance":            func(f *safetensors.File) { f.Tensor(covarianceName).F32[1]++ },
		"statistics of 1 image:":              metadata(referenceKey, `{"data":"a","images":1}`),
	} {
		f := c.File(c.params.Values, safetensors.F32, sampleReference(), nil)
		change(f)
		if _, err := Read(written(t, f), kernels.Generic); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := Read(strings.NewReader("GIF89a"), kernels.Generic); err == nil {
		t.Error("a picture was read as a classifier")
	}
}

// Mean and covariance equal their definitions, computed from all pairs of images.
func TestReference(t *testing.T) {
	const n, dim = 50, 3
	rng := rand.New(rand.NewPCG(11, 12))
	x := kernelstest.Normals(rng, n*dim)
	for i := range n { // a correlation, around a mean far from zero
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
			// The features were rounded to float32, numbers near 100 to 4e-6.
			if got := float64(r.Covariance[j*dim+k]); math.Abs(got-want) > 1e-5 {
				t.Errorf("covariance (%d,%d) is %v, want %v", j, k, got, want)
			}
			if math.Abs(float64(r.Mean[j])-mean) > 1e-5 {
				t.Errorf("mean %d is %v, want %v", j, r.Mean[j], mean)
			}
		}
	}
}

// A hostile file gives an error, and takes neither memory nor the program down. Fuzzing starts from
// files that are as small as possible.
func FuzzRead(f *testing.F) {
	cfg := Config{
		ImageSize: [2]int{1, 1}, InChannels: 1, Widths: []int{1}, Blocks: []int{0}, NormGroups: 1,
		Classes: []string{"", ""},
	}
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
