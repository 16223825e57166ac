package model

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/flow"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/torchfile"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
	"github.com/fmimg/fmimg/unet/diffusers"
)

// The files of a folder that diffusers saves.
const (
	DiffusersConfig  = "config.json"
	pipelineIndex    = "model_index.json" // of a pipeline, whose network is in a folder of its own
	DiffusersWeights = "diffusion_pytorch_model.safetensors"
	shardIndex       = ".index.json" // the ending of the file that lists parts
	halfShardIndex   = ".index.fp16.json"
)

// diffusersFiles are the files that may hold the weights, the first that is there counts.
var diffusersFiles = []string{
	DiffusersWeights, DiffusersWeights + shardIndex, "diffusion_pytorch_model.fp16.safetensors",
	DiffusersWeights + halfShardIndex, "diffusion_pytorch_model.bin", "diffusion_pytorch_model.bin" + shardIndex, "diffusion_pytorch_model.fp16.bin",
	"diffusion_pytorch_model.bin" + halfShardIndex,
}

// ListsParts reports whether a file of this name lists the files that hold weights in parts.
func ListsParts(name string) bool {
	return strings.HasSuffix(name, shardIndex) || strings.HasSuffix(name, halfShardIndex)
}

// maxJSON is the most bytes of a configuration, or of a list of parts, that are read.
const maxJSON = 8 << 20

// diffusersIn returns the file of weights in a folder of diffusers, or in the network's folder of a
// pipeline. It is empty for other folders.
func diffusersIn(folder string) string {
	if there(filepath.Join(folder, pipelineIndex)) {
		folder = filepath.Join(folder, "unet")
	}
	for _, name := range diffusersFiles {
		if path := filepath.Join(folder, name); there(path) {
			return path
		}
	}
	return ""
}

// there reports whether a path is that of a file.
func there(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// readJSON reads a small file beside weights.
func readJSON(path string) ([]byte, error) {
	file, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxJSON+1))
	if err == nil && len(text) > maxJSON {
		err = fmt.Errorf("%s: it is larger than %d MiB", path, maxJSON>>20)
	}
	return text, err
}

// errDiffusers says what to do with a network of diffusers where a model is needed.
func errDiffusers(path string) error {
	return option.Faultf("%s: it is a network of diffusers, under other names and without what it draws", path).
		Cured("make a model of it with %v, or train on from it with %v", importIt, trainFromIt)
}

// parts reads the tensors of weights that are cut into several files. The open file lists them.
func (f *OpenedFile) parts() (*safetensors.File, error) {
	text, err := io.ReadAll(io.LimitReader(f.File, maxJSON))
	if err != nil {
		return nil, err
	}
	var index struct {
		Of map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &index); err != nil || len(index.Of) == 0 {
		return nil, cmp.Or(err, errors.New("it has no weight_map, which says which file has which tensor"))
	}
	var names []string
	for _, name := range index.Of {
		if !filepath.IsLocal(name) || filepath.Base(name) != name {
			return nil, fmt.Errorf("weight_map: %.80q is not a file of the same folder", name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	whole := &safetensors.File{}
	for _, name := range slices.Compact(names) {
		part, err := readPart(filepath.Join(filepath.Dir(f.name), name))
		if err != nil {
			return nil, err
		}
		for _, t := range part.Tensors {
			if index.Of[t.Name] != name {
				return nil, fmt.Errorf("%s: weight_map says that tensor %.80s is elsewhere", name, t.Name)
			}
		}
		whole.Tensors = append(whole.Tensors, part.Tensors...)
	}
	if len(whole.Tensors) != len(index.Of) {
		return nil, fmt.Errorf("weight_map lists %d tensors, and its files have %d", len(index.Of), len(whole.Tensors))
	}
	return whole, nil
}

// readPart reads all tensors of one of several files.
func readPart(path string) (*safetensors.File, error) {
	file, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	part := &OpenedFile{File: file, name: path}
	at := part.torch()
	if at == nil {
		f, err := safetensors.Read(file)
		return f, modelError(path, err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	torch, err := torchfile.Read(at, info.Size())
	if err != nil {
		return nil, modelError(path, err)
	}
	if len(torch.Dicts) != 1 {
		return nil, fmt.Errorf("%s: one dictionary of tensors is needed, it has %d", path, len(torch.Dicts))
	}
	n := network{dict: &torch.Dicts[0]}
	f, err := n.load(torch, nil)
	return f, modelError(path, err)
}

// A Foreign says of a network of another program what its files do not, or in their place. The zero
// value of a field is what the files say, else the default.
type Foreign struct {
	Size pipeline.Size
	// Times are the times of the network at noise and at images. Where they fall, a velocity is
	// that towards noise, along the network's own time, and is turned round.
	Times     [2]float64
	Path      string
	Objective Objective
	Classes   []string // of all rows of the class embedding; one less: the last row is no class
	// DataClasses are likewise, where no names are known and as many rows are there.
	DataClasses []string
}

// A Translated is a network of another program as one of fmimg.
type Translated struct {
	Tensors *safetensors.File // under fmimg's names, with the metadata of a model
	Config  unet.Config
	Meta    Meta
	Notes   []pipeline.Event // what was assumed
}

func (t *Translated) note(format string, args ...any) {
	t.Notes = append(t.Notes, pipeline.Note(format, args...))
}

// FromDiffusers translates tensors that [OpenedFile.Weights] returned, where they are those of a
// network of diffusers. It is nil for others. The error lists what fmimg's network has otherwise.
func (f *OpenedFile) FromDiffusers(tensors *safetensors.File, o Foreign) (*Translated, error) {
	if !isDiffusers(tensors) {
		return nil, nil
	}
	path := filepath.Join(filepath.Dir(f.name), DiffusersConfig)
	text, err := readJSON(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("it is a network of diffusers, whose tensors do not tell all of it: put its %s beside it", DiffusersConfig)
	}
	if err != nil {
		return nil, err
	}
	c, err := diffusers.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t := &Translated{}
	if err := t.configure(c, o); err != nil {
		return nil, err
	}
	if t.Tensors, err = c.Weights(trimmed(tensors), t.Config); err != nil {
		return nil, err
	}
	if c.OutChannels != c.InChannels {
		t.note("its out_channels are twice its in_channels: the second half is taken to be a variance, and left out")
	}
	known := c.Training
	if told := o.Times != [2]float64{} && o.Path != "" && o.Objective != ""; known == nil && !told {
		known = t.scheduled(filepath.Dir(filepath.Dir(f.name)))
	}
	err = t.settle(known, o)
	return t, err
}

// scheduled returns what the scheduler of a pipeline says of the training; nil where there is none,
// or none that fmimg has a path for.
func (t *Translated) scheduled(pipeline string) *diffusers.Training {
	name := filepath.Join("scheduler", "scheduler_config.json")
	if !there(filepath.Join(pipeline, pipelineIndex)) || !there(filepath.Join(pipeline, name)) {
		return nil
	}
	text, err := readJSON(filepath.Join(pipeline, name))
	var known *diffusers.Training
	if err == nil {
		known, err = diffusers.ParseScheduler(text)
	}
	if err == nil {
		_, err = flow.ParseSchedule(known.Path)
	}
	if err != nil {
		t.note("%s does not count: %v", name, err)
		return nil
	}
	known.From = name
	return known
}

// isDiffusers reports whether tensors have the names of a network of diffusers.
func isDiffusers(f *safetensors.File) bool {
	if _, ok := f.Metadata[unet.ConfigKey]; ok {
		return false
	}
	has := func(stem string) bool {
		return slices.ContainsFunc(f.Tensors, func(t safetensors.Tensor) bool { return isStem(t.Name, stem) })
	}
	return !has(unet.StemName) && has(diffusers.StemName)
}

// trimmed takes a wrapper's prefix, such as "module.", off all names.
func trimmed(f *safetensors.File) *safetensors.File {
	prefix := ""
	for i := range f.Tensors {
		if before, ok := strings.CutSuffix(f.Tensors[i].Name, diffusers.StemName); ok {
			prefix = before
			break
		}
	}
	out := &safetensors.File{Tensors: slices.Clone(f.Tensors)}
	for i := range out.Tensors {
		out.Tensors[i].Name = strings.TrimPrefix(out.Tensors[i].Name, prefix)
	}
	return out
}

// configure finds the configuration.
func (t *Translated) configure(c *diffusers.Config, o Foreign) (err error) {
	if t.Config, err = c.Network(); err != nil {
		return err
	}
	if o.Size != (pipeline.Size{}) {
		t.Config.ImageSize = [2]int{o.Size.Height, o.Size.Width}
	}
	if t.Config.ImageSize == [2]int{} {
		return option.Faultf("its %s has no sample_size", DiffusersConfig).Cured("name the size of its images to %v",
			option.Action{Command: importIt.Command, Settings: []option.Setting{{Option: "size"}}})
	}
	if err := t.Config.Validate(); err != nil { // before its classes are counted out
		return err
	}
	known := c.Training
	classes := o.Classes
	if classes == nil && known != nil {
		classes = known.Classes
	}
	if n := len(o.DataClasses); classes == nil && n > 0 && (t.Config.NumClasses == n || t.Config.NumClasses == n+1) {
		classes = o.DataClasses
	}
	if t.Meta.Classes, t.Config.NullClass, err = ClassNames(classes, t.Config.NumClasses); err != nil {
		return err
	}
	return t.Config.Validate()
}

// ClassNames returns the names of the classes of a network with so many rows of them. There may be
// one name less than rows: the last row means no class then (null). With nil they are numbers.
func ClassNames(names []string, rows int) (all []string, null bool, err error) {
	if names == nil {
		for i := range rows {
			all = append(all, fmt.Sprint(i))
		}
		return all, false, nil
	}
	if null = rows == len(names)+1 && len(names) > 0; !null && rows != len(names) {
		return nil, false, option.Errorf("classes", nil, "%d names, and the network has %d rows of classes, of which one may be no class",
			len(names), rows)
	}
	return names, null, nil
}

// defaultTimesteps is the time at images that networks of diffusers are taken to have.
const defaultTimesteps = 1000

// settle says what the network predicts and when, and turns its time.
func (t *Translated) settle(known *diffusers.Training, o Foreign) error {
	if known == nil {
		known = &diffusers.Training{}
		if o.Times == [2]float64{} || o.Path == "" && o.Objective == "" {
			t.note("%s does not say what the network predicts at which times: where it is not the velocity from noise to images "+
				"at timesteps from 0 to %d, use %v", DiffusersConfig, defaultTimesteps, option.Action{
				Command: importIt.Command, Settings: []option.Setting{{Option: "times"}, {Option: "predicts"}, {Option: "path"}},
			})
		}
	}
	t.Meta.Path = cmp.Or(o.Path, known.Path, DefaultPath)
	t.Meta.Objective = cmp.Or(o.Objective, Objective(known.Predicts), DefaultObjective)
	t.Meta.PixelRange = [2]float64{dataset.PixelMin, dataset.PixelMax}
	if _, err := t.Meta.Prediction(); err != nil {
		return err
	}
	times := o.Times
	if times == [2]float64{} {
		times = known.Times
	}
	if times == [2]float64{} {
		times[1] = defaultTimesteps
	}
	if known.From != "" {
		t.note("with what %s says, the network predicts %s on the path %s, at timesteps from %v to %v", known.From,
			t.Meta.Objective, t.Meta.Path, times[0], times[1])
	}
	if err := TurnTime(t.Tensors, &t.Config, times, t.Meta.Objective); err != nil {
		return err
	}
	t.Tensors.SetJSON(unet.ConfigKey, t.Config)
	t.Tensors.Metadata[MetaKey] = t.Meta.text()
	return nil
}

// TurnTime changes a network under fmimg's names, whose time is times[0] at noise and times[1] at
// images, to one of t from 0 to 1. Where its time falls, so that a velocity is that towards noise,
// the velocity is turned round.
func TurnTime(f *safetensors.File, cfg *unet.Config, times [2]float64, predicts Objective) error {
	var err error
	if *cfg, err = unet.Retime(f, *cfg, times[0], times[1]); err != nil {
		return option.Errorf("times", nil, "%v", err)
	}
	if times[1] < times[0] && predicts == VelocityObjective {
		unet.Negate(f)
	}
	return nil
}
