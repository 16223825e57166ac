package pipeline

import "github.com/fmimg/fmimg/internal/option"

// Kind says what an [Event] reports.
type Kind string

// The kinds of events, in the order in which a run sends them.
const (
	// Reading: Images of Total files of pictures are read.
	Reading Kind = "reading"
	// Started: work begins at Step of Total. Text says what is done, Path where.
	Started Kind = "started"
	// Stepped: a step is done, and all numbers are set. A comparison sets Step of Total, and Text
	// to the name of a method.
	Stepped Kind = "step"
	// Previewed: a grid of images is at Path.
	Previewed Kind = "preview"
	// Saved: a checkpoint is in the folder Path.
	Saved Kind = "checkpoint"
	// Noted: Text is something that a person should know.
	Noted Kind = "note"
	// Finished: the result is at Path.
	Finished Kind = "finished"
	// Interrupted: the run in the folder Path can be resumed.
	Interrupted Kind = "interrupted"
	// Sampled: Images of Total images are drawn.
	Sampled Kind = "sampled"
)

// An Event reports the progress of a long call, such as a training run or the drawing of images.
// Fields that its [Kind] does not name are zero.
type Event struct {
	Kind Kind `json:"event"`
	Step int  `json:"step"` // steps done
	// Total is the number of steps that the run now expects to make, 0 when it is unknown. Where
	// images or files are counted it is their number.
	Total  int     `json:"total,omitempty"`
	Images int     `json:"images"`                // images seen or drawn
	Loss   float64 `json:"loss,omitempty"`        // mean over the batch of this step
	Smooth float64 `json:"smooth_loss,omitempty"` // running mean of the losses
	// Validation is the latest loss of the averaged weights on images that training does not see.
	Validation float64 `json:"validation_loss,omitempty"`
	// Accuracy is the share of the test images that a classifier assigns to their class.
	Accuracy float64 `json:"accuracy,omitempty"`
	LR       float64 `json:"lr,omitempty"`
	GradNorm float64 `json:"grad_norm,omitempty"`         // before clipping
	Rate     float64 `json:"images_per_second,omitempty"` // lately
	Seconds  float64 `json:"seconds,omitempty"`           // spent training, over the whole run
	Left     float64 `json:"seconds_left,omitempty"`      // estimated, of training
	Path     string  `json:"path,omitempty"`
	Text     string  `json:"text,omitempty"`
	Message  Message `json:"-"` // of a note: Text, for front ends with words of their own
}

// Note returns the event of something that a person should know, see [option.Say].
func Note(format string, args ...any) Event {
	m := option.Say(format, args...)
	return Event{Kind: Noted, Text: m.String(), Message: m}
}
