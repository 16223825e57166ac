package model

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/fmimg/fmimg/dataset"
)

// MetaKey is the metadata entry of a checkpoint that holds a [Meta] as JSON.
const MetaKey = "fmimg.meta"

// FlowMapObjective is what a network that was distilled predicts, as [Meta] names it: the mean velocity over a jump. The other
// objectives are those of package flow.
const FlowMapObjective = "flow-map"

// FlowObjective names in [TrainOptions] and [Meta] the likelihood, which a normalizing flow is trained by.
const FlowObjective = "nf"

// Meta says where a checkpoint comes from. All of it may be empty in files made elsewhere.
type Meta struct {
	Data       string     `json:"data"`
	Steps      int        `json:"steps"`
	Images     int        `json:"images"` // seen in training, repeats counted
	Seed       uint64     `json:"seed"`
	HoldOut    float64    `json:"hold_out,omitempty"` // share of the images that training did not see, chosen by Seed, in a set without test images
	Batch      int        `json:"batch"`
	Schedule   string     `json:"schedule"` // of the run, as text
	ISA        string     `json:"isa"`
	Version    string     `json:"version"` // of fmimg; empty in files that another program made
	Date       time.Time  `json:"date"`
	Classes    []string   `json:"classes"`     // names of the rows of label_emb, without "no class"
	PixelRange [2]float64 `json:"pixel_range"` // numbers of the darkest and the brightest pixel
	// Dequantized says that the bytes of the images were spread over their width by noise, see TrainOptions.Dequantize.
	Dequantized bool    `json:"dequantized,omitempty"`
	Path        string  `json:"path"`      // the probability path
	Objective   string  `json:"objective"` // what the network predicts
	TimeDist    string  `json:"time_dist"`
	EMA         float64 `json:"ema"`
	Loss        float64 `json:"loss"`                      // running mean over the last steps
	Validation  float64 `json:"validation_loss,omitempty"` // of images that training did not see

	// Of a flow map.
	Jumps   []int        `json:"jumps,omitempty"`   // the numbers of equal jumps from noise to image that it was trained for
	Teacher *TeacherMeta `json:"teacher,omitempty"` // the model that it was distilled from
}

// TeacherMeta says which model a flow map was distilled from, and how that drew.
type TeacherMeta struct {
	SHA256      string  `json:"sha256"` // of its weights
	Steps       int     `json:"steps"`  // that it was trained for
	Images      int     `json:"images"`
	Seed        uint64  `json:"seed"` // of its training, by which the images were chosen that are held out
	Solver      string  `json:"solver"`
	SolverSteps int     `json:"solver_steps"`
	Guidance    float64 `json:"guidance"`
}

// allowedJumps returns the numbers of allowedJumps that a flow map can take.
func (m Meta) allowedJumps() []int {
	if len(m.Jumps) == 0 {
		return JumpCounts[:]
	}
	return m.Jumps
}

// HeldOut returns the share of the images of a data set that training did not see, and the seed by which
// they were chosen; false where it saw all of them, or other data.
func (m Meta) HeldOut(data string) (share float64, seed uint64, ok bool) {
	return m.HoldOut, m.dataSeed(), m.Data == data && m.HoldOut > 0
}

// dataSeed returns the seed by which the images were chosen that training did not see.
func (m Meta) dataSeed() uint64 {
	if m.Teacher != nil {
		return m.Teacher.Seed
	}
	return m.Seed
}

// text returns the JSON.
func (m Meta) text() string {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // plain data without NaN: a run stops before it has one
	}
	return string(b)
}

// parseMeta reads the entry from a checkpoint's metadata; a file without one has an empty Meta.
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
		return m, fmt.Errorf("metadata %s: pixel range %v is not supported, only [%d %d]", MetaKey, m.PixelRange, int(dataset.PixelMin), int(dataset.PixelMax))
	}
	if m.Objective == FlowObjective {
		return m, nil
	}
	_, err := m.Prediction()
	return m, err
}
