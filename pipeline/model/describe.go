package model

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/realnvp"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// An Info describes a checkpoint.
type Info struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"` // size of the file
	// SHA256 is that of the weights, in hexadecimal, as in the metadata of drawn pictures. It is
	// empty when Inferred.
	SHA256     string `json:"sha256"`
	Parameters int    `json:"parameters"`
	Tensors    int    `json:"tensors"`
	Types      string `json:"types"` // types of the tensors in the file
	// Inferred says that the file has no configuration. Network then has what the tensors' shapes
	// tell, and zeros for the rest.
	Inferred bool `json:"inferred"`
	// One of Network and Flow is there: the configuration of a U-Net, or of a normalizing flow.
	Network *unet.Config    `json:"network,omitempty"`
	Flow    *realnvp.Config `json:"normalizing_flow,omitempty"`
	FLOPs   float64         `json:"flops"` // for one evaluation of one image; 0 when Inferred
	Meta    *Meta           `json:"meta,omitempty"`
	List    []TensorInfo    `json:"list"` // all tensors, in the order of the file

	net Network // nil when Inferred
}

// A TensorInfo describes a tensor of a checkpoint.
type TensorInfo struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
}

// Describe reads a checkpoint and says what it is. path is as for [Open]. Describe also takes a
// file without a configuration, as PyTorch saves it, which Open refuses.
func Describe(path string) (*Info, error) {
	file, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f, _, err := file.Weights("")
	if err != nil {
		return nil, modelError(file.name, err)
	}
	foreign, err := file.FromDiffusers(f, Foreign{})
	if err != nil {
		return nil, modelError(file.name, err)
	}
	info := &Info{Path: file.name, Tensors: len(f.Tensors)}
	if stat, err := file.Stat(); err == nil {
		info.Bytes = stat.Size()
	}
	var types []string
	for i := range f.Tensors {
		t := &f.Tensors[i]
		info.Parameters += t.Len()
		info.List = append(info.List, TensorInfo{t.Name, string(t.DType), t.Shape})
		if !slices.Contains(types, string(t.DType)) {
			types = append(types, string(t.DType))
		}
	}
	info.Types = strings.Join(types, ", ")
	if foreign != nil {
		f = foreign.Tensors
	}
	return info, modelError(file.name, info.describeNetwork(f))
}

// describeNetwork fills in what the file f says of the network.
func (info *Info) describeNetwork(f *safetensors.File) error {
	ck, err := FromFile(f, info.Path, kernels.Best())
	if errors.Is(err, unet.ErrNoConfig) {
		info.Inferred = true
		cfg, err := unet.Infer(f)
		if info.Network = &cfg; err != nil {
			err = noConfig(f)
		}
		return err
	}
	if err != nil {
		return err
	}
	switch n := ck.Network.(type) {
	case *UNet:
		cfg := n.Config()
		info.Network = &cfg
	case *NormalizingFlow:
		cfg := n.Config()
		info.Flow = &cfg
	}
	info.net, info.FLOPs, info.SHA256 = ck.Network, ck.FLOPs(), ck.Hash
	if _, ok := f.Metadata[MetaKey]; ok {
		meta := ck.Meta
		meta.Clusters = nil // numbers for programs, and many
		info.Meta = &meta
	}
	return nil
}

// trainFromIt trains on from weights that have no configuration.
var trainFromIt = option.Action{Command: "train", Settings: []option.Setting{{Option: "init"}}}

// Lines returns the description as text, a name and a value in each line, in the words of a front
// end.
func (info *Info) Lines(w pipeline.Words) [][2]string {
	lines := [][2]string{
		{"model", info.Path},
		{"size", fmt.Sprintf("%s in %s (%s), %s", text.Count(info.Parameters, "parameter", "parameters"),
			text.Count(info.Tensors, "tensor", "tensors"), info.Types, text.Bytes(float64(info.Bytes)))},
	}
	add := func(what, format string, args ...any) {
		lines = append(lines, [2]string{what, fmt.Sprintf(format, args...)})
	}
	if info.Inferred {
		n := info.Network
		add("network", "%s times %v, %s a level, attention at %v, %s",
			text.Count(n.ModelChannels, "channel", "channels"), n.ChannelMult,
			text.Count(n.NumResBlocks, "block", "blocks"), n.AttentionResolutions,
			text.Count(n.NumClasses, "class", "classes"))
		add("made by", "%s", option.Say("not fmimg: it has no configuration. "+
			"Heads, norm groups and the time scale are not known; train on from it with %v", trainFromIt).In(w))
		return lines
	}
	shape := info.net.Shape()
	add("SHA-256", "%s", info.SHA256)
	add("images", "%s, %s", shape.Sides(), text.Count(shape.Channels, "channel", "channels"))
	add("network", "%s", info.net.Describe())
	add("work", "%.0f MFLOP an evaluation of one image", info.FLOPs/1e6)
	if info.Network != nil && info.Network.FlowMap {
		known := Meta{}
		if info.Meta != nil {
			known = *info.Meta
		}
		add("objective", "a flow map: it draws in %s evaluations", text.Or(known.allowedJumps()))
	}
	if m := info.Meta; m != nil {
		if of := m.Teacher; of != nil {
			add("distilled from", "a model trained for %s, %s in %s, %s, SHA-256 %s",
				text.Count(of.Steps, "step", "steps"),
				of.Solver, text.Count(of.SolverSteps, "step", "steps"), of.describeGuidance(), of.SHA256)
			if of.GuidanceRange.Wide() {
				add("guidance", "an input: weights from %v to %v, unless told another %v",
					of.GuidanceRange[0], of.GuidanceRange[1], of.Guidance)
			}
		}
		if m.Data != "" || m.Steps > 0 { // else another program trained it
			add("trained on", "%s, %s of %s, seed %d", m.Data, text.Count(m.Steps, "step", "steps"),
				text.Count(m.Batch, "image", "images"), m.Seed)
		}
		if m.Path != "" && m.Objective != "" {
			add("predicts", "the %s on the %s path", m.Objective, m.Path)
		}
		if m.Dequantized {
			add("pixels", "dequantised: its likelihood means something")
		}
		if m.Steps > 0 {
			add("loss", "%.4f", m.Loss)
		}
		if len(m.Classes) > 0 {
			add("classes", "%s", m.describeClasses())
		}
		if m.Version != "" {
			add("made by", "fmimg %s on %s in %s, %s", m.Version, m.ISA, cmp.Or(m.Precision, kernels.F32.String()), m.Date.Format(time.DateTime))
		}
	}
	return lines
}

// describeGuidance says how the teacher was guided.
func (t *TeacherMeta) describeGuidance() string {
	guide := ""
	if t.Guide != "" {
		guide = fmt.Sprintf("the guide of SHA-256 %.12s…", t.Guide)
	}
	weights := t.guidance()
	return cmp.Or(weights.describe(guide, t.Within, 1), fmt.Sprintf("guidance %v", weights))
}

// describeClasses lists the classes, as they can be asked for, with the numbers of their training
// images where these are recorded.
func (m Meta) describeClasses() string {
	var list []string
	for i, name := range m.Classes {
		class := QuoteClass(name)
		if i < len(m.ClassCounts) {
			class += fmt.Sprintf(" (%d)", m.ClassCounts[i])
		}
		list = append(list, class)
	}
	if m.Unlabelled > 0 {
		list = append(list, fmt.Sprintf("no class (%d)", m.Unlabelled))
	}
	return strings.Join(list, ", ")
}
