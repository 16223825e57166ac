package model

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/safetensors"
)

// MetaKey is the metadata entry of a checkpoint that holds a [Meta] as JSON.
const MetaKey = "fmimg.meta"

// Meta says where a checkpoint comes from. Any field may be zero in a file of another program.
type Meta struct {
	Data   string `json:"data"`
	Steps  int    `json:"steps"`
	Images int    `json:"images"` // seen in training, repeats counted
	Seed   uint64 `json:"seed"`
	// HoldOut is the share of the images that training did not see, in a data set without test
	// images. Seed chose them.
	HoldOut  float64 `json:"hold_out,omitempty"`
	Batch    int     `json:"batch"`
	Schedule string  `json:"schedule"` // text of the run's engine.RateSchedule
	ISA      string  `json:"isa"`
	// Precision is that of the training; empty: f32.
	Precision string `json:"precision,omitempty"`
	// Version is that of fmimg; empty in files that another program made.
	Version    string     `json:"version"`
	Date       time.Time  `json:"date"`
	Classes    []string   `json:"classes"`     // names of the rows of label_emb, without "no class"
	PixelRange [2]float64 `json:"pixel_range"` // numbers of the darkest and the brightest pixel
	// ClassCounts has the number of training images of each class, and Unlabelled that of those
	// without a class, from which the network learned "no class". Older files lack ClassCounts: it
	// is nil, and nothing is known.
	ClassCounts []int `json:"class_counts,omitempty"`
	Unlabelled  int   `json:"unlabelled,omitempty"`
	// Init is the SHA-256 of the weights that training started from; empty for random ones.
	Init string `json:"init,omitempty"`
	// Dequantized says that uniform noise spread each byte of the images over its width.
	Dequantized bool      `json:"dequantized,omitempty"`
	Path        string    `json:"path"`                      // the probability path
	Objective   Objective `json:"objective"`                 // what the network predicts
	TimeDist    string    `json:"time_dist"`                 // distribution of the training times
	EMA         float64   `json:"ema"`                       // decay of the averaged weights
	Loss        float64   `json:"loss"`                      // running mean over the last steps
	Validation  float64   `json:"validation_loss,omitempty"` // on images that training did not see

	// Jumps and Teacher are for a flow map: from noise to image, the numbers of equal jumps that it
	// was trained for, and the model that it was distilled from.
	Jumps   []int        `json:"jumps,omitempty"`
	Teacher *TeacherMeta `json:"teacher,omitempty"`

	// Fit says how images were brought to the model's shape; empty: crop. Labels says where the
	// classes of pictures came from; empty: what was there.
	Fit    dataset.Fit `json:"fit,omitempty"`
	Labels string      `json:"labels,omitempty"`
	// Clusters are what the classes stand for, where Labels asks for clusters.
	Clusters *dataset.Clusters `json:"clusters,omitempty"`
}

// LabelData sets, in the options of data, where the classes of the data that the model was trained
// on came from.
func (m Meta) LabelData(o *feed.DataOptions) { o.Labels, o.Clusters = m.Labels, m.Clusters }

// TeacherMeta says which model a flow map was distilled from, and how that model drew images.
type TeacherMeta struct {
	SHA256      string `json:"sha256"` // of its weights
	Steps       int    `json:"steps"`  // steps of its training
	Images      int    `json:"images"` // images of its training, repeats counted
	Seed        uint64 `json:"seed"`   // seed of its training, which chose the held-out images
	Solver      string `json:"solver"`
	SolverSteps int    `json:"solver_steps"`
	// Guidance is the weight by which the teacher drew. Where it drew by weights of a range, which
	// the flow map takes then, it is the one that the flow map draws by unless it is told another.
	Guidance      float64       `json:"guidance"`
	GuidanceRange GuidanceRange `json:"guidance_range,omitzero"`
	// Within is where guidance acted; zero: all the way, or not at all. Guide is the SHA-256 of the
	// weights of a guide; empty: none.
	Within Interval `json:"guidance_interval,omitzero"`
	Guide  string   `json:"guide,omitempty"`
}

// guidance returns the weights by which the teacher drew.
func (t *TeacherMeta) guidance() GuidanceRange {
	if t.GuidanceRange.Wide() {
		return t.GuidanceRange
	}
	return OneGuidance(t.Guidance)
}

// guidance returns the weights that a flow map takes, and the one that a network draws by unless it
// is told another. A flow map that records none may be drawn by any.
func (m Meta) guidance(flowMap bool) (weights GuidanceRange, usual float64) {
	weights = GuidanceRange{math.Inf(-1), math.Inf(1)}
	switch {
	case m.Teacher != nil && m.Teacher.GuidanceRange.Wide():
		return m.Teacher.GuidanceRange, m.Teacher.Guidance
	case flowMap:
		return weights, 1
	case m.Clusters != nil:
		return weights, DefaultClusterGuidance
	}
	return weights, DefaultGuidance
}

// allowedJumps returns the numbers of jumps, from noise to image, that a flow map can take.
func (m Meta) allowedJumps() []int {
	if len(m.Jumps) == 0 {
		return JumpCounts[:]
	}
	return m.Jumps
}

// HeldOut returns the share of a data set's images that training did not see, and the seed that
// chose them. ok is false where training saw all of them, or other data.
func (m Meta) HeldOut(data string) (share float64, seed uint64, ok bool) {
	return m.HoldOut, m.dataSeed(), m.Data == data && m.HoldOut > 0
}

// dataSeed returns the seed that chose the held-out images.
func (m Meta) dataSeed() uint64 {
	if m.Teacher != nil {
		return m.Teacher.Seed
	}
	return m.Seed
}

// ReadMeta reads the Meta of the checkpoint in a file.
func ReadMeta(path string) (Meta, error) {
	file, err := os.Open(path)
	if err != nil {
		return Meta{}, err
	}
	defer file.Close()
	f, err := safetensors.Read(file)
	if err != nil {
		return Meta{}, err
	}
	return parseMeta(f.Metadata)
}

// text returns m as JSON.
func (m Meta) text() string {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // plain data without NaN: a run stops before it has one
	}
	return string(b)
}

// parseMeta reads a [Meta] from a checkpoint's metadata. A file without the entry has an empty
// Meta.
func parseMeta(metadata map[string]string) (Meta, error) {
	var m Meta
	text, ok := metadata[MetaKey]
	if !ok {
		return m, nil
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("metadata %s: %w", MetaKey, err)
	}
	if m.PixelRange != [2]float64{dataset.PixelMin, dataset.PixelMax} {
		return m, fmt.Errorf("metadata %s: pixel range %v is not supported, only [%d %d]", MetaKey, m.PixelRange,
			int(dataset.PixelMin), int(dataset.PixelMax))
	}
	if m.Objective == FlowObjective {
		return m, nil
	}
	_, err := m.Prediction()
	return m, err
}
