package train

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline/engine"
)

// What is turned off is 0 in config.json, as in those of old, and is turned off again when it is
// read.
func TestRecordedOptions(t *testing.T) {
	var o Options
	o.Seed, o.Steps, o.Paired = 3, 7, 512
	o.Warmup, o.Beta1, o.WeightDecay, o.Clip, o.EMA = option.None, option.None, option.None, option.None, option.None
	o.HoldOut, o.LabelDrop, o.KeepGuide, o.DataMemory = option.None, option.None, option.None, 0
	o = o.WithDefaults()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"warmup":0,`, `"beta1":0,`, `"weight_decay":0,`, `"clip":0,`, `"ema":0,`, `"hold_out":0,`, `"label_drop":0`,
		`"beta2":0.99,`, `"optimizer":"muon"`, `"steps":7`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	var read Options
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	read = read.WithDefaults()
	read.Ranks, o.Ranks = nil, nil // files keep no connection
	if !reflect.DeepEqual(read, o) {
		t.Errorf("read %+v, want %+v", read, o)
	}
}

// What the config.json of an old run does not say is as all runs were then.
func TestSilentOptions(t *testing.T) {
	var o Options
	if err := json.Unmarshal([]byte(`{"ema":0.9}`), &o); err != nil {
		t.Fatal(err)
	}
	o = o.WithDefaults()
	if o.Optimizer != engine.AdamW || o.LR != 0.002 || o.Coupling != Independent || o.Path != "linear" || o.EMA != 0.9 {
		t.Errorf("%+v", o)
	}
	if o.HoldOut >= 0 || o.LabelDrop >= 0 || o.Clip >= 0 {
		t.Errorf("hold-out %v, label-drop %v, clip %v", o.HoldOut, o.LabelDrop, o.Clip)
	}
}

// The defaults are what the command trains with: no number of a program's own is missing from them.
func TestZeroOptionsAreTheDefaults(t *testing.T) {
	o := Options{}
	o.Data = "mnist"
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	d := o.WithDefaults()
	if d.Batch != 64 || d.Optimizer != engine.Muon || d.Beta1 != 0.9 || d.Beta2 != 0.99 ||
		d.Coupling != OptimalTransport {
		t.Errorf("%+v", d)
	}
	if again := d.WithDefaults(); !reflect.DeepEqual(again, d) {
		t.Errorf("defaults of the defaults: %+v, want %+v", again, d)
	}
}
