package pipeline

import "github.com/fmimg/fmimg/internal/option"

// Kind says what an [Event] reports.
type Kind string

// The kinds of events, in the order in which a run sends them.
const (
	Reading Kind = "reading" // Images of Total files of pictures are read
	Started Kind = "started" // Path, Step, Total, Text (what is trained)
	// Stepped has all the numbers. In a comparison it has Step, Total and Text, the name of a method.
	Stepped     Kind = "step"
	Previewed   Kind = "preview"     // Path of the grid
	Saved       Kind = "checkpoint"  // Path of the folder
	Noted       Kind = "note"        // Text: something that a person should know
	Finished    Kind = "finished"    // Path of the result
	Interrupted Kind = "interrupted" // Path of the folder to resume
	Sampled     Kind = "sampled"     // Images of Total are drawn
)

// An Event reports the progress of a run, of a drawing or of a measurement. Fields that a kind does
// not name are zero.
type Event struct {
	Kind   Kind    `json:"event"`
	Step   int     `json:"step"`            // steps done
	Total  int     `json:"total,omitempty"` // steps as now believed, 0: unknown; for Sampled, images
	Images int     `json:"images"`          // images seen or drawn
	Loss   float64 `json:"loss,omitempty"`  // mean over this step's batch
	Smooth float64 `json:"smooth_loss,omitempty"`
	// Validation is the latest loss on images that training does not see, of the averaged weights.
	Validation float64 `json:"validation_loss,omitempty"`
	// Accuracy is the share of the test images that a classifier tells rightly.
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
