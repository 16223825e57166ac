package convert

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// A saved is a network among those of a file.
type saved struct {
	name, prefix string // the dictionary that holds it, and what is before its tensors' names
	net          *unet.Model
}

// writeTorch writes networks as torch.save writes dictionaries of state dicts.
func writeTorch(t *testing.T, path string, networks ...saved) {
	t.Helper()
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	entry := func(name string, data []byte) {
		e, err := archive.CreateHeader(&zip.FileHeader{Name: "unet/" + name, Method: zip.Store})
		if err == nil {
			_, err = e.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var p bytes.Buffer
	text := func(s string) { fmt.Fprintf(&p, "X%s%s", binary.LittleEndian.AppendUint32(nil, uint32(len(s))), s) }
	number := func(n int) { fmt.Fprintf(&p, "J%s", binary.LittleEndian.AppendUint32(nil, uint32(n))) }
	p.WriteString("\x80\x02}(")
	var storages [][]byte
	for _, n := range networks {
		text(n.name)
		p.WriteString("ccollections\nOrderedDict\n)R(")
		f := n.net.File(n.net.Params().Values, safetensors.F32, nil)
		for _, x := range f.Tensors {
			text(n.prefix + x.Name)
			p.WriteString("ctorch._utils\n_rebuild_tensor_v2\n((")
			text("storage")
			p.WriteString("ctorch\nFloatStorage\n")
			text(fmt.Sprint(len(storages)))
			text("cpu")
			number(len(x.F32))
			p.WriteString("tQK\x00(")
			for _, d := range x.Shape {
				number(d)
			}
			p.WriteString("t(")
			for i := range x.Shape {
				stride := 1
				for _, d := range x.Shape[i+1:] {
					stride *= d
				}
				number(stride)
			}
			p.WriteString("t\x89ccollections\nOrderedDict\n)RtR")
			raw, err := binary.Append(nil, binary.LittleEndian, x.F32)
			if err != nil {
				t.Fatal(err)
			}
			storages = append(storages, raw)
		}
		p.WriteString("u")
	}
	p.WriteString("u.")
	entry("data.pkl", p.Bytes())
	for i, raw := range storages {
		entry(fmt.Sprint("data/", i), raw)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// foreign makes a network with random weights, as PyTorch has them.
func foreign(t *testing.T, seed uint64) *unet.Model {
	t.Helper()
	cfg, err := unet.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	cfg.ImageSize, cfg.NumClasses, cfg.NullClass, cfg.NumHeads, cfg.TimeScale = [2]int{8, 12}, 4, false, 2, 1
	net, err := unet.New(cfg, kernels.Generic, rand.New(rand.NewPCG(seed, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// The weights of each network come into the model that the options describe.
func TestImport(t *testing.T) {
	folder := t.TempDir()
	last, average := foreign(t, 1), foreign(t, 2)
	one, two, three := filepath.Join(folder, "one.pt"), filepath.Join(folder, "two.ckpt"), filepath.Join(folder, "three.pt")
	writeTorch(t, one, saved{"model", "module.", last})
	writeTorch(t, two, saved{"net_model", "", last}, saved{"ema_model", "", average})
	writeTorch(t, three, saved{"a", "", last}, saved{"b", "_orig_mod.", average})
	usual := ImportOptions{Size: pipeline.Size{Width: 12, Height: 8}, Heads: 2, NormGroups: 8, Out: filepath.Join(folder, "out.safetensors")}
	for _, c := range []struct {
		file, part string
		classes    []string
		want       *unet.Model
		notes      string
	}{
		{one, "", nil, last, ""},
		{two, "", []string{"x", "y", "z"}, average, "ema_model is taken"},
		{two, "net_model", []string{"w", "x", "y", "z"}, last, ""},
		{three, "b._orig_mod", nil, average, ""},
	} {
		o := usual
		o.File, o.Part, o.Classes = c.file, c.part, c.classes
		var notes strings.Builder
		o.OnEvent = func(e pipeline.Event) { fmt.Fprintln(&notes, e) }
		if err := Import(o); err != nil {
			t.Errorf("%s %s: %v", c.file, c.part, err)
			continue
		}
		ck, u := opened(t, o.Out)
		cfg := u.Config()
		if !slices.Equal(ck.Params().Values, c.want.Params().Values) || cfg.NumHeads != 2 || cfg.NormGroups != 8 || cfg.TimeScale != 1 ||
			cfg.ImageSize != [2]int{8, 12} || cfg.NullClass != (len(c.classes) == 3) {
			t.Errorf("%s %s: another network, %+v", c.file, c.part, cfg)
		}
		if want := c.classes; want != nil && !slices.Equal(ck.Meta.Classes, want) || want == nil && len(ck.Meta.Classes) != 4 {
			t.Errorf("%s %s: classes %q", c.file, c.part, ck.Meta.Classes)
		}
		if !strings.Contains(notes.String(), c.notes) || strings.Contains(notes.String(), "is taken;") != (c.notes != "") {
			t.Errorf("%s %s: notes %q", c.file, c.part, &notes)
		}
	}
	o := usual
	o.File = three
	if err := Import(o); err == nil || !strings.Contains(err.Error(), "several networks: a, b._orig_mod") {
		t.Error(err)
	}
}

// Mistakes name the option, and no file is left.
func TestImportRefuses(t *testing.T) {
	folder := t.TempDir()
	file, out := filepath.Join(folder, "one.pt"), filepath.Join(folder, "out.safetensors")
	writeTorch(t, file, saved{"model", "", foreign(t, 1)})
	size := pipeline.Size{Width: 12, Height: 8}
	for _, c := range []struct {
		option string
		o      ImportOptions
	}{
		{"file", ImportOptions{Out: out, Size: size}},
		{"out", ImportOptions{File: file, Size: size}},
		{"out", ImportOptions{File: file, Out: file, Size: size}},
		{"size", ImportOptions{File: file, Out: out}},
		{"part", ImportOptions{File: file, Out: out, Size: size, Part: "ema"}},
		{"classes", ImportOptions{File: file, Out: out, Size: size, NormGroups: 8, Classes: []string{"a", "b"}}},
		{"file", ImportOptions{File: "mnist", Out: out, Size: size}},
		{"path", ImportOptions{File: file, Out: out, Size: size, NormGroups: 8, Path: "straight"}},
		{"predicts", ImportOptions{File: file, Out: out, Size: size, NormGroups: 8, Objective: "score"}},
	} {
		err := Import(c.o)
		if wrong, ok := errors.AsType[*option.Error](err); !ok || wrong.Option != c.option {
			t.Errorf("%+v: %v, want a mistake in %s", c.o, err, c.option)
		}
	}
	if err := Import(ImportOptions{File: file, Out: out, Size: size}); err == nil || !strings.Contains(err.Error(), "groups") {
		t.Error(err)
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Error("a file is left")
	}
	if _, _, err := model.OpenUNet(file, pipeline.Arithmetic{}); err == nil || !strings.Contains(err.Error(), "torch.save") {
		t.Error(err)
	}
}
