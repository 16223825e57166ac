package model

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/text"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
)

// MatchClasses returns, for each class, the index of the class of the same name among others, or
// -1.
func MatchClasses(classes, others []string) []int {
	same := make([]int, len(classes))
	for i, name := range classes {
		same[i] = -1
		for j, other := range others {
			if name == other {
				same[i] = j
			}
		}
	}
	return same
}

// NoClass is the name that asks for images of no class in particular. A model must be trained for
// it. A class of this name comes first.
const NoClass = "none"

// A ClassList has the classes that images of a model can be asked for.
type ClassList struct {
	Model string   // the model's name, for messages
	N     int      // number of classes
	Names []string // names of the classes; may be shorter than N
	Null  bool     // class N means "no class"
	// Counts has the number of training images of each class. A class without one cannot be drawn.
	// It is nil where nothing is known.
	Counts []int
}

// ClassList returns the classes of the model.
func (c *Checkpoint) ClassList() ClassList {
	l := c.Labels()
	list := ClassList{Model: ModelName(c.Path), N: l.Count, Names: c.Meta.Classes, Null: l.Null}
	if c.Meta.Init == "" { // else an earlier training may have had pictures of any class
		list.Counts = c.Meta.ClassCounts
	}
	return list
}

// RequestedClasses reads a list of classes as [ClassList.Parse] does; the empty list is nil, which
// means random classes. It is an [*pipeline.OptionError] to ask for classes or for a guidance that
// the model does not have.
func (c *Checkpoint) RequestedClasses(list string, m Method) ([]int32, []pipeline.Event, error) {
	if err := c.checkRequest(list, m); err != nil || list == "" {
		return nil, nil, err
	}
	return c.ClassList().Parse(list)
}

// RequestedNoClass is [Checkpoint.RequestedClasses] for images of no class, whatever the classes
// are called.
func (c *Checkpoint) RequestedNoClass(m Method) ([]int32, error) {
	if err := c.checkRequest(NoClass, m); err != nil {
		return nil, err
	}
	row, err := c.ClassList().noClass()
	return []int32{row}, err
}

// checkRequest refuses a list of classes, or a guidance, that the model does not have.
func (c *Checkpoint) checkRequest(list string, m Method) error {
	if _, err := c.SettleGuidance(c.Path, m); err != nil {
		return err
	}
	if list != "" && c.Labels().Count == 0 {
		return option.Errorf("class", list, "%s takes no class", ModelName(c.Path))
	}
	return nil
}

// noClass returns the row that means no class.
func (l ClassList) noClass() (int32, error) {
	if !l.Null {
		return 0, option.Errorf("class", NoClass, "%s always needs a class", l.Model)
	}
	return int32(l.N), nil
}

// namesShown is how many names of classes a message lists.
const namesShown = 12

// FirstNames joins names as [QuoteClass] writes them. Of many it takes the first, and says how many
// more there are.
func FirstNames(names []string) option.Message {
	shown := make([]string, min(len(names), namesShown))
	for i := range shown {
		shown[i] = QuoteClass(names[i])
	}
	if n := len(names) - namesShown; n > 0 {
		return option.Say("%s and %d more (%v lists them)",
			strings.Join(shown, ", "), n, option.Action{Command: "model show"})
	}
	return option.Say("%s", strings.Join(shown, ", "))
}

// QuoteClass returns the name of a class as it can be asked for in a list of classes. A name with a
// comma, a quotation mark or outer spaces gets quotation marks, in which a mark is doubled. A name
// that could control a terminal is written as Go does.
func QuoteClass(name string) string {
	if shown := text.Printable(name); shown != name {
		return shown
	}
	if name == "" || strings.ContainsAny(name, `,"`) || strings.TrimSpace(name) != name {
		return quoted(name)
	}
	return name
}

// SpellClass returns what asks for a class: its number, or its name where a class is called by a
// number.
func (m Meta) SpellClass(class int) string {
	if slices.ContainsFunc(m.Classes, isNumber) {
		return QuoteClass(m.Classes[class])
	}
	return strconv.Itoa(class)
}

// quoted puts a name into quotation marks.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
