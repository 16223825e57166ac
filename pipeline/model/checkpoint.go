package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/models"
	"github.com/fmimg/fmimg/nn"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/realnvp"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// A Checkpoint is a trained network that was loaded from a file. It may be used by several
// goroutines at once as long as nobody changes its parameters.
type Checkpoint struct {
	Network
	Meta Meta
	Hash string // SHA-256 of the weights, in hexadecimal
	Path string // the file or run folder that it was read from; "" for a reader
	// Embedded says that the model is part of the program. Path is then the model's name.
	Embedded bool
}

// Read reads a checkpoint, in safetensors, up to the end of r. on says how to compute with it.
func Read(r io.Reader, on pipeline.Arithmetic) (*Checkpoint, error) { return readCheckpoint(r, "", on) }

// OpenFS is [Read] for a file in a file system, such as one that is embedded in a program.
func OpenFS(fsys fs.FS, path string, on pipeline.Arithmetic) (*Checkpoint, error) {
	file, err := fsys.Open(path)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	defer file.Close()
	return readCheckpoint(file, path, on)
}

// Open loads a checkpoint: a safetensors file, a run folder, or a model that is part of the
// program, such as mnist. A file or run folder of that name comes first. The empty path is the
// newest run under runs/, or else the first model of the program. on is as for [Read].
func Open(path string, on pipeline.Arithmetic) (*Checkpoint, error) {
	file, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	return file.read(on)
}

// read reads the checkpoint of an open file, and closes the file.
func (f *OpenedFile) read(on pipeline.Arithmetic) (*Checkpoint, error) {
	defer f.Close()
	if ListsParts(f.name) {
		return nil, errDiffusers(f.name)
	}
	if f.torch() != nil {
		return nil, errTorch(f.name)
	}
	ck, err := readCheckpoint(f, f.name, on)
	if err == nil {
		ck.Embedded = f.embedded
	}
	return ck, err
}

// An OpenedFile is the open file of a model.
type OpenedFile struct {
	fs.File
	name     string // for messages
	embedded bool   // part of the program
}

// OpenFile opens the file of a model, whose name is as for [Open]. The caller closes it.
func OpenFile(path string) (*OpenedFile, error) {
	path, embedded := Resolve(path)
	if embedded {
		file, err := models.Open(path)
		return &OpenedFile{file, path, true}, err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		inside := filepath.Join(path, File)
		if _, err := os.Stat(inside); err != nil {
			if inside = diffusersIn(path); inside == "" {
				return nil, fmt.Errorf("model: %s is a folder that holds no %s and no %s: it is no run folder, "+
					"or its run has saved nothing yet", path, File, DiffusersWeights)
			}
		}
		path = inside
	}
	file, err := regular.Open(path)
	if errors.Is(err, regular.ErrURL) {
		return nil, fmt.Errorf("model: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("model: %w: name a run folder, a .safetensors file, or %s", err,
			text.Or(models.Names()))
	}
	return &OpenedFile{file, path, false}, nil
}

// Resolve returns where the model of a name is, which is as for [Open]: a path, or the name of a
// model that is part of the program (embedded). A path with a model comes first.
func Resolve(name string) (path string, embedded bool) {
	if name == "" {
		if dir, err := NewestRun(File); err == nil {
			return dir, false
		}
		return models.Names()[0], true
	}
	return name, slices.Contains(models.Names(), name) && !holdsModel(name)
}

// holdsModel reports whether a path is a file, or a folder with a model in it.
func holdsModel(path string) bool {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		info, err = os.Stat(filepath.Join(path, File))
	}
	return err == nil && info.Mode().IsRegular()
}

// NameOrNewest returns the name of a model, or the newest run where the name is empty. It is for
// what makes no sense with a model that is part of the program.
func NameOrNewest(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	return NewestRun(File)
}

// readCheckpoint reads a checkpoint, in safetensors. path is for messages.
func readCheckpoint(r io.Reader, path string, on pipeline.Arithmetic) (*Checkpoint, error) {
	isa, precision, err := on.Parse()
	if err != nil {
		return nil, err
	}
	f, err := safetensors.Read(r)
	if err != nil {
		return nil, modelError(path, err)
	}
	ck, err := FromFile(f, path, isa)
	if errors.Is(err, unet.ErrNoConfig) {
		if isDiffusers(f) {
			return nil, errDiffusers(ModelName(path))
		}
		err = noConfig(f)
	}
	if err != nil {
		return nil, modelError(path, err)
	}
	if u, ok := ck.Network.(*UNet); ok {
		u.SetPrecision(precision)
		return ck, nil
	}
	_, err = on.InF32(ModelName(path) + " is a normalizing flow, which computes")
	return ck, err
}

// StateKey is the metadata entry of the state of a run, which package run writes, as JSON.
const StateKey = "fmimg.state"

// noConfig says what to do with a file that has no configuration.
func noConfig(f *safetensors.File) error {
	if _, ok := f.Metadata[StateKey]; ok {
		return fmt.Errorf("it is the state of a run, not a model: name the run's folder, or %s in it", File)
	}
	if _, err := unet.Infer(f); err != nil {
		return fmt.Errorf("%w and %w", unet.ErrNoConfig, err)
	}
	return option.Faultf("%v", unet.ErrNoConfig).Cured("train on from it with %v", trainFromIt)
}

// FromFile builds the network that a file holds: a normalizing flow, or a U-Net. The error is
// [unet.ErrNoConfig] where a U-Net's configuration is missing. path is for messages.
func FromFile(f *safetensors.File, path string, isa kernels.ISA) (*Checkpoint, error) {
	if realnvp.Holds(f) {
		return newFlowCheckpoint(f, path, isa)
	}
	cfg, err := unet.FileConfig(f)
	if err != nil {
		return nil, err
	}
	return FromFileWithConfig(f, cfg, path, isa)
}

// newFlowCheckpoint builds the normalizing flow that a file holds.
func newFlowCheckpoint(f *safetensors.File, path string, isa kernels.ISA) (*Checkpoint, error) {
	meta, err := parseMeta(f.Metadata)
	if err != nil {
		return nil, err
	}
	if meta.Objective != "" && meta.Objective != FlowObjective {
		return nil, fmt.Errorf("metadata %s: a normalizing flow of objective %s", MetaKey, meta.Objective)
	}
	model, err := realnvp.FromFile(f, isa)
	if err != nil {
		return nil, err
	}
	net := &NormalizingFlow{Model: model}
	return &Checkpoint{Network: net, Meta: meta, Hash: weightsHash(model.Params()), Path: path}, nil
}

// OpenUNet is [Open] for callers that need a velocity: a normalizing flow is an
// [*pipeline.OptionError].
func OpenUNet(path string, on pipeline.Arithmetic) (*Checkpoint, *UNet, error) {
	ck, err := Open(path, on)
	if err != nil {
		return nil, nil, err
	}
	u, err := ck.VelocityNet()
	return ck, u, err
}

// VelocityNet returns the network of a checkpoint for callers that need a velocity: a normalizing
// flow is an [*pipeline.OptionError].
func (c *Checkpoint) VelocityNet() (*UNet, error) {
	u, ok := c.Network.(*UNet)
	if !ok {
		return nil, option.Errorf("model", c.Path,
			"is a normalizing flow, which has no velocity: name a model that was trained by flow matching")
	}
	return u, nil
}

// Precision names the precision in which the network computes, as a [Meta] does: "" for float32.
func (c *Checkpoint) Precision() string {
	if u, ok := c.Network.(*UNet); ok && u.Model.Precision() != kernels.F32 {
		return u.Model.Precision().String()
	}
	return ""
}

// UNet returns the U-Net of a checkpoint. It panics where the network is another.
func (c *Checkpoint) UNet() *UNet { return c.Network.(*UNet) }

// FromFileWithConfig builds the U-Net of a configuration with the weights of a file. path is for
// messages.
func FromFileWithConfig(f *safetensors.File, cfg unet.Config, path string, isa kernels.ISA) (*Checkpoint, error) {
	meta, err := parseMeta(f.Metadata)
	if err != nil {
		return nil, err
	}
	if meta.Objective == FlowObjective {
		return nil, notFlow()
	}
	model, err := unet.FromFile(f, cfg, isa)
	if err != nil {
		return nil, err
	}
	net, err := meta.network(model)
	if err != nil {
		return nil, err
	}
	return &Checkpoint{Network: net, Meta: meta, Hash: weightsHash(model.Params()), Path: path}, nil
}

// modelError names the model in an error.
func modelError(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", ModelName(path), err)
}

// ModelName says which model, for messages.
func ModelName(path string) string {
	if path == "" {
		return "model"
	}
	return "model " + path
}

// DataRequest returns a request for a data set in the shape of the model's images. It holds out the
// same images as the model's training. option is the name of the option that gives the data set.
func (c *Checkpoint) DataRequest(name, option string, threads int, onEvent func(pipeline.Event)) feed.Request {
	reader := feed.Reader{Seed: 1, Threads: threads, OnEvent: onEvent}
	r := feed.Request{Shape: c.Shape(), Option: option, Taker: "the model", Reader: reader}
	r.Data, r.Fit = name, c.Meta.Fit
	if name == c.Meta.Data {
		c.Meta.LabelData(&r.DataOptions)
	}
	if share, seed, ok := c.Meta.HeldOut(name); ok {
		r.HoldOut, r.Seed = share, seed
	}
	return r
}

// JoinNote is [feed.JoinNote] for the data that the model was trained on, and for other data.
func (c *Checkpoint) JoinNote(out string, data ...string) (note pipeline.Event, ok bool) {
	return feed.JoinNote(out, append(data, c.Meta.Data)...)
}

// weightsHash returns the SHA-256, in hexadecimal, of all parameters as float32, little endian, in
// PyTorch's order. These are the bytes behind the header of a float32 checkpoint.
func weightsHash(params *nn.Params) string {
	h := sha256.New()
	var buf []byte
	for _, p := range params.List {
		buf = buf[:0]
		for _, v := range p.Export(params.Values) {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// WriteCheckpoint writes a checkpoint of a model, with values in place of its parameters.
func WriteCheckpoint(w io.Writer, model Weights, values []float32, dtype safetensors.DType, meta Meta) error {
	return safetensors.Write(w, model.File(values, dtype, map[string]string{MetaKey: meta.text()}))
}
