package feed

import (
	"fmt"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
)

// Notes returns what a person should know of a set before it is used: what was guessed, what was
// left out, and which files cannot be used. Each note is one line that begins with the name of the
// data.
func Notes(data string, set *dataset.Set) []pipeline.Event {
	var notes []pipeline.Event
	for _, note := range set.Notes {
		notes = append(notes, pipeline.Note("%s: %v", text.Printable(data), note))
	}
	var parts []string
	for _, s := range set.Skipped {
		part := fmt.Sprintf("%d %s (such as %s", s.Count, s.Reason, s.First)
		if s.Detail != "" {
			part += ": " + s.Detail
		}
		parts = append(parts, part+")")
	}
	if len(parts) > 0 {
		notes = append(notes, pipeline.Note("%s: %d of %s left out: %s; %v tells more",
			text.Printable(data), set.SkippedFiles(), text.Count(set.Files, "file is", "files are"), strings.Join(parts, ", "),
			option.Action{Command: "data show", Settings: []option.Setting{{Option: "data", Value: data}}}))
	}
	return notes
}
