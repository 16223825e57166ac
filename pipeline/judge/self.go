package judge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/classify"
	"github.com/fmimg/fmimg/pipeline/engine"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/safetensors"
)

// SelfName is the name of a judge that images without labels have trained.
const SelfName = "self-supervised"

// selfKey is the metadata entry of a self-supervised judge's file that holds its [SelfRecord] as
// JSON.
const selfKey = "fmimg.judge"

// A SelfRecord says how a self-supervised judge was trained. Two judges with one record are the
// same network, to the byte.
type SelfRecord struct {
	Recipe string `json:"recipe"`
	Data   string `json:"data"`   // name of the images
	Images int    `json:"images"` // how many there are
	SHA256 string `json:"sha256"` // of the images' bytes
	Steps  int    `json:"steps"`
	Batch  int    `json:"batch"` // images of a step, each in two views
	Seed   uint64 `json:"seed"`
	ISA    string `json:"isa"`
}

// The recipe of training. selfRecipe names it: a change of any number that the weights depend on
// changes its name too.
const (
	selfRecipe = "turn+pair-1"
	selfBatch  = 64
	selfMicro  = 32 // of which each image has the others' views to be told from
	selfRate   = 3e-3
	selfWarmup = 50
	selfDecay  = 0.05
	selfSeed   = 1
)

// A Self is a judge that images without labels have trained.
type Self struct {
	Classifier
	Record SelfRecord
	Hash   string // SHA-256 of its file
}

// SelfOptions say how a self-supervised judge is trained.
type SelfOptions struct {
	ISA kernels.ISA
	// Steps is the number of steps; 0: as many as take one to two minutes of two cores. That
	// number depends on the size of the images alone, so that the judge is the same on each
	// machine with the same instruction set.
	Steps int
	// OnEvent is told of each step, and may be nil.
	OnEvent func(pipeline.Event)
}

// TrainSelf trains a network on images without their labels. Its features see what a person sees
// in the images of this set: the network tells how views of an image are turned (Gidaris et al.
// 2018, "Unsupervised Representation Learning by Predicting Image Rotations"), and which two views
// are those of one image (Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual
// Representations"). It takes images of [ReducedShape]. The same images give the same network, to
// the byte, for any number of workers. When ctx ends, TrainSelf returns ctx.Err().
func TrainSelf(ctx context.Context, on *crew.Crew, data dataset.Source, o SelfOptions) (*Self, error) {
	data = reduced(data)
	record, err := selfRecord(data, o)
	if err != nil {
		return nil, err
	}
	h, w, c := data.Shape()
	var pcg rand.PCG
	pipeline.Seed(&pcg, record.Seed, pipeline.StreamInit, 0, 0)
	net, err := classify.NewNetwork(selfConfig(h, w, c), o.ISA, rand.New(&pcg))
	if err != nil {
		return nil, err
	}
	training := &selfTraining{feed: feed.New(data, record.Seed, record.Batch, false), seed: record.Seed, batch: record.Batch}
	usual := run.Recipe{Batch: record.Batch}.WithDefaults()
	recipe := engine.Recipe{
		Batch: record.Batch, MicroBatch: selfMicro, Optimizer: engine.AdamW, Decay: selfDecay,
		Beta1: usual.Beta1, Beta2: usual.Beta2, Eps: usual.Eps, Clip: usual.Clip,
	}
	trainer := engine.NewTrainer(engine.Setup{
		Recipe: recipe, Model: net, Prepare: training.prepare, Crew: on,
		Tasks: training.tasks(net, min(on.Size(), recipe.MicroBatches())),
	})
	defer trainer.Close()
	if err := trainSteps(ctx, trainer, record, o.OnEvent); err != nil {
		return nil, err
	}
	return newSelf(net, record)
}

// trainSteps takes all steps.
func trainSteps(ctx context.Context, t *engine.Trainer, record SelfRecord, emit func(pipeline.Event)) error {
	schedule := engine.RateSchedule{{Step: 0, Total: record.Steps}}
	begin := time.Now()
	for step := range record.Steps {
		rate := schedule.Rate(step, selfRate, selfWarmup, engine.CosineRate)
		result, err := t.Step(ctx, step, rate)
		if err != nil {
			return err
		}
		if !result.Finite() {
			return fmt.Errorf("self-supervised judge: the loss of step %d is not a number", step)
		}
		if emit != nil {
			done, seconds := step+1, time.Since(begin).Seconds()
			emit(pipeline.Event{
				Kind: pipeline.Stepped, Step: done, Total: record.Steps, Images: done * record.Batch, Loss: result.Loss,
				Smooth: result.Loss, LR: rate, Rate: float64(done*record.Batch) / seconds, Seconds: seconds,
				Left: seconds / float64(done) * float64(record.Steps-done),
			})
		}
	}
	return nil
}

// LeastSelf is the least number of images that train a judge: a micro-batch of different ones.
const LeastSelf = selfMicro

// selfRecord returns the record of a training that is to come.
func selfRecord(data dataset.Source, o SelfOptions) (SelfRecord, error) {
	h, w, c := data.Shape()
	if data.Len() < LeastSelf {
		return SelfRecord{}, fmt.Errorf("%s train no judge: %d are the least",
			text.Count(data.Len(), "picture", "pictures"), LeastSelf)
	}
	option.SetDefault(&o.Steps, selfSteps(h, w, c))
	return SelfRecord{
		Recipe: selfRecipe, Data: data.Name(), Images: data.Len(), SHA256: digest(data),
		Steps: o.Steps, Batch: selfBatch, Seed: selfSeed, ISA: o.ISA.String(),
	}, nil
}

// digest returns the SHA-256 of the images of a source as bytes.
func digest(data dataset.Source) string {
	h, w, c := data.Shape()
	pixels, row := make([]float32, h*w*c), make([]byte, h*w*c)
	sum := sha256.New()
	for i := range data.Len() {
		data.Image(i, pixels)
		for k, v := range pixels {
			row[k] = dataset.ToByte(v)
		}
		sum.Write(row)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// newSelf returns the judge of a trained network.
func newSelf(net *classify.Network, record SelfRecord) (*Self, error) {
	s := &Self{Classifier: Classifier{Title: SelfName, Network: net}, Record: record}
	sum := sha256.New()
	if err := s.Write(sum); err != nil {
		return nil, err
	}
	s.Hash = hex.EncodeToString(sum.Sum(nil))
	return s, nil
}

// Write writes the judge's file: that of a classifier, with the record in its metadata. Weights
// are float32, so that a judge that is read finds what it found before.
func (s *Self) Write(w io.Writer) error {
	text, err := json.Marshal(s.Record)
	if err != nil {
		return err
	}
	f := s.Network.File(s.Network.Params().Values, safetensors.F32, nil, map[string]string{selfKey: string(text)})
	return safetensors.Write(w, f)
}

// errOtherJudge says that a file holds a network, but none that [TrainSelf] has made.
var errOtherJudge = errors.New("it is not the file of a self-supervised judge")

// ReadSelf reads what [Self.Write] wrote, up to the end of r.
func ReadSelf(r io.Reader, isa kernels.ISA) (*Self, error) {
	var whole bytes.Buffer
	f, err := safetensors.Read(io.TeeReader(r, &whole))
	if err != nil {
		return nil, err
	}
	text, ok := f.Metadata[selfKey]
	if !ok {
		return nil, errOtherJudge
	}
	var record SelfRecord
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		return nil, fmt.Errorf("metadata %s: %w", selfKey, err)
	}
	net, err := classify.Read(&whole, isa)
	if err != nil {
		return nil, err
	}
	return newSelf(net, record)
}

// Trained reports whether the judge is what [TrainSelf] would make of the images, but for the last
// digits, which depend on the instruction set.
func (s *Self) Trained(data dataset.Source, o SelfOptions) bool {
	want, err := selfRecord(reduced(data), o)
	want.Data, want.ISA = s.Record.Data, s.Record.ISA // a name may change with the folder
	return err == nil && s.Record == want
}
