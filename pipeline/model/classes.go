package model

import (
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
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
// it.
const NoClass = "none"

// A ClassList has the classes that images of a model can be asked for.
type ClassList struct {
	Model string   // the model's name, for messages
	N     int      // number of classes
	Names []string // names of the classes; may be shorter than N
	Null  bool     // class N means "no class"
}

// ClassList returns the classes of the model.
func (c *Checkpoint) ClassList() ClassList {
	l := c.Labels()
	return ClassList{Model: ModelName(c.Path), N: l.Count, Names: c.Meta.Classes, Null: l.Null}
}

// RequestedClasses reads a list of classes as [ClassList.Parse] does; the empty list is nil, which
// means random classes. It is an [*pipeline.OptionError] to ask for classes or for a guidance that
// the model does not have.
func (c *Checkpoint) RequestedClasses(list string, guidance float64) ([]int32, error) {
	if _, err := c.SettleGuidance(c.Path, guidance); err != nil {
		return nil, err
	}
	if list == "" {
		return nil, nil
	}
	if c.Labels().Count == 0 {
		return nil, option.Errorf("class", list, "%s takes no class", ModelName(c.Path))
	}
	return c.ClassList().Parse(list)
}

// Parse reads a list of classes, joined by commas: numbers, ranges of numbers, names, and none.
// Examples are "7", "0-9" and "1,3,sneaker,none". A mistake is an [*pipeline.OptionError].
func (l ClassList) Parse(text string) ([]int32, error) {
	var list []int32
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == NoClass && !l.Null {
			return nil, option.Errorf("class", NoClass, "%s always needs a class", l.Model)
		}
		from, to, err := l.parsePart(part)
		if err != nil {
			return nil, err
		}
		if part != NoClass && (from < 0 || to >= l.N) {
			return nil, option.Errorf("class", part, "the classes are 0-%d", l.N-1)
		}
		if from > to {
			return nil, option.Errorf("class", part, "a range goes upwards: %d-%d", to, from)
		}
		for c := from; c <= to; c++ {
			list = append(list, int32(c))
		}
	}
	return list, nil
}

// parsePart reads one part of a list, and returns the first and the last class of its range.
func (l ClassList) parsePart(part string) (from, to int, err error) {
	if part == NoClass {
		return l.N, l.N, nil
	}
	for i, name := range l.Names {
		if strings.EqualFold(name, part) && strconv.Itoa(i) != name {
			return i, i, nil
		}
	}
	low, high, isRange := strings.Cut(part, "-")
	from, err1 := strconv.Atoi(low)
	to = from
	var err2 error
	if isRange {
		to, err2 = strconv.Atoi(high)
	}
	if err1 != nil || err2 != nil {
		known := option.Say("numbers such as 7, 0-9 or 1,3,5")
		if len(l.Names) > 0 {
			known = option.Say("%v, or names of %v", known, firstNames(l.Names))
		}
		return 0, 0, option.Errorf("class", option.Quoted(part), "want %v", known)
	}
	return from, to, nil
}

// namesShown is how many names of classes a message lists.
const namesShown = 12

// firstNames joins names. Of many it takes the first, and says how many more there are.
func firstNames(names []string) option.Message {
	if n := len(names) - namesShown; n > 0 {
		return option.Say("%s and %d more (%v lists them)",
			strings.Join(names[:namesShown], ", "), n, option.Action{Command: "model show"})
	}
	return option.Say("%s", strings.Join(names, ", "))
}
