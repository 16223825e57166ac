package sample

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/fmimg/fmimg/models"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
)

// The models that are part of the program, and their guides, open by their names and take at most
// 3 MB each. mnist-fast is a flow map.
func TestEmbeddedModels(t *testing.T) {
	for _, name := range models.Names() {
		for _, open := range []func(string) (fs.File, error){models.Open, models.OpenGuide} {
			file, err := open(name)
			if errors.Is(err, fs.ErrNotExist) && name != "mnist" {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			info, err := file.Stat()
			if err != nil || info.Size() > 3e6 {
				t.Errorf("%s takes %d bytes, %v", name, info.Size(), err)
			}
			file.Close()
		}
		ck, err := model.Open(name, pipeline.Arithmetic{})
		if err != nil || !ck.Embedded {
			t.Fatalf("%s: %+v, %v", name, ck, err)
		}
		if name == models.Pictures {
			s := ck.Network.Shape()
			if s.Channels != 3 || ck.Meta.Clusters == nil || len(ck.Meta.Classes) != ck.Meta.Clusters.Count() {
				t.Errorf("%s: %+v of %v", name, ck.Meta.Classes, s)
			}
			continue
		}
		if ck.Meta.Data != "mnist" || len(ck.Meta.Classes) != 10 {
			t.Errorf("%s: data %s, classes %v", name, ck.Meta.Data, ck.Meta.Classes)
		}
		if fast := name == "mnist-fast"; ck.UNet().Config().FlowMap != fast {
			t.Errorf("%s is a flow map: %v", name, !fast)
		}
	}
	out := filepath.Join(t.TempDir(), "a.png")
	result, err := Generate(t.Context(), GenerateOptions{Model: "mnist-fast", Out: out, Sample: Options{Count: 1}})
	if err != nil || result.Evaluations != 4 || result.Guidance != 1 {
		t.Errorf("%+v, %v", result, err)
	}
}
