package train

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet/diffusers"
)

// strip writes a copy of a checkpoint as PyTorch would save it: without metadata, and with a prefix
// to the names.
func strip(t *testing.T, model, prefix string) string {
	t.Helper()
	f := &safetensors.File{Tensors: roomtest.Tensors(t, model)}
	for i := range f.Tensors {
		f.Tensors[i].Name = prefix + f.Tensors[i].Name
	}
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := safetensors.Write(file, f); err != nil {
		t.Fatal(err)
	}
	return path
}

// Weights without a configuration train like weights with one, if the options say what the shapes
// do not.
func TestInitInfersNetwork(t *testing.T) {
	first := smallRun(t)
	first.Steps = 2
	mustTrain(t, first)
	model := filepath.Join(first.Out, model.File)

	know := smallRun(t)
	know.Init, know.Network = model, nil
	mustTrain(t, know)
	for _, prefix := range []string{"", "module."} {
		o := smallRun(t)
		o.Init, o.Network = strip(t, model, prefix), nil
		o.NormGroups, o.TimeScale = 4, 1000
		var notes []string
		o.OnEvent = func(e pipeline.Event) {
			if e.Kind == pipeline.Noted {
				notes = append(notes, e.Text)
			}
		}
		mustTrain(t, o)
		roomtest.SameRun(t, know.Out, o.Out)
		if len(notes) != 1 || !strings.Contains(notes[0], "8 channels times [1], 1 block a level, attention at "+
			"[], 1 head, 4 norm groups, time scale 1000, 3 classes and none") {
			t.Errorf("notes %q", notes)
		}
		c, err := readTrainRun(o.Out)
		if err != nil || c.Resolved.InitHash != roomtest.DataHash(t, model) {
			t.Errorf("recorded hash %q, %v", c.Resolved.InitHash, err)
		}
		card, err := os.ReadFile(filepath.Join(o.Out, run.CardFile))
		if err != nil || !strings.Contains(string(card), c.Resolved.InitHash) ||
			!strings.Contains(string(card), "norm-groups 4, time-scale 1000") {
			t.Errorf("card: %v\n%s", err, card)
		}
	}
}

func TestInitErrors(t *testing.T) {
	first := smallRun(t)
	first.Steps = 1
	mustTrain(t, first)
	bare := strip(t, filepath.Join(first.Out, model.File), "")
	for _, c := range []struct {
		change func(*Options)
		option string // of an OptionError, "" for another error
		want   string
	}{
		{func(o *Options) { o.Init = bare }, "", "norm_groups 32 does not divide the 8 channels"},
		{func(o *Options) { o.Init, o.NormGroups, o.Heads = bare, 4, 3 }, "heads", "must divide the 8 channels"},
		{func(o *Options) { o.Init, o.Preset, o.NormGroups = "", "tiny", 5 }, "norm-groups",
			"must divide the 16 channels"},
		{func(o *Options) { o.Init = filepath.Join(first.Out, run.StateFile) }, "", "not those of this U-Net"},
		{func(o *Options) { o.Init = filepath.Join(first.Out, run.CardFile) }, "", "it is text"},
		{func(o *Options) { o.NormGroups = 2 }, "norm-groups", "has 4"},
		{func(o *Options) { o.Heads = 2 }, "heads", "has 1"},
		{func(o *Options) { o.TimeScale = 1 }, "time-scale", "has 1000"},
		{func(o *Options) { o.Given = []string{"preset"} }, "preset", "leave one of the two out"},
	} {
		o := smallRun(t)
		o.Init, o.Network = first.Out, nil
		c.change(&o)
		_, err := Train(context.Background(), o)
		wrong, isOption := errors.AsType[*pipeline.OptionError](err)
		if err == nil || !strings.Contains(err.Error(), c.want) || isOption != (c.option != "") ||
			(isOption && wrong.Option != c.option) {
			t.Errorf("error %v, want one with %q about %q", err, c.want, c.option)
		}
		if _, err := os.Stat(o.Out); err == nil {
			t.Errorf("%s: the run folder was made", c.want)
		}
	}
}

// The options for heads, groups and the scale of time change a preset too.
func TestNetworkOptions(t *testing.T) {
	o := smallRun(t)
	o.Network, o.Preset, o.Steps = nil, "tiny", 1
	o.Heads, o.NormGroups, o.TimeScale = 2, 4, 10
	mustTrain(t, o)
	c, err := readTrainRun(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	n := c.Resolved.Network
	if n.NumHeads != 2 || n.NormGroups != 4 || n.TimeScale != 10 || !slices.Equal(n.ChannelMult, []int{1, 1}) {
		t.Errorf("network %+v", n)
	}
}

// A folder of diffusers trains on like the model that it was written from. Its file of weights does
// too, beside its configuration.
func TestInitFromDiffusers(t *testing.T) {
	first := smallRun(t)
	first.Steps = 2
	mustTrain(t, first)
	was := filepath.Join(first.Out, model.File)
	ck, err := model.Open(was, pipeline.Arithmetic{})
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "net")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := diffusers.Of(ck.UNet().Config())
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.Tensors(ck.UNet().Model, safetensors.F32)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{model.DiffusersConfig: c.JSON(), model.DiffusersWeights: b.Bytes()} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	know := smallRun(t)
	know.Init, know.Network = was, nil
	mustTrain(t, know)
	for _, init := range []string{folder, filepath.Join(folder, model.DiffusersWeights)} {
		o := smallRun(t)
		o.Init, o.Network = init, nil
		mustTrain(t, o)
		a, b := roomtest.Tensors(t, filepath.Join(know.Out, model.File)), roomtest.Tensors(t, filepath.Join(o.Out, model.File))
		for i := range a {
			if a[i].Name != b[i].Name || !slices.Equal(a[i].F32, b[i].F32) {
				t.Fatalf("%s: tensor %s differs after training", init, a[i].Name)
			}
		}
	}
}
