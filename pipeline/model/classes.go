package model

import (
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
)

// SameClasses returns for each class the index of its name among others; -1 where they lack it.
func SameClasses(classes, others []string) []int {
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

// NoClass asks for images of no class in particular. Models have it that were trained for it.
const NoClass = "none"

// A ClassList is the classes that images of a model can be asked for.
type ClassList struct {
	Model string   // for messages
	N     int      // classes
	Names []string // of the classes, as far as they are known
	Null  bool     // class N means none
}

// ClassList returns the classes of the model.
func (c *Checkpoint) ClassList() ClassList {
	l := c.Labels()
	return ClassList{Model: ModelName(c.Path), N: l.Count, Names: c.Meta.Classes, Null: l.Null}
}

// AskedClasses returns the classes of a list, which the model must have; nil for random classes.
func (c *Checkpoint) AskedClasses(list string, guidance float64) ([]int32, error) {
	if _, err := c.Guide(c.Path, guidance); err != nil {
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

// Parse reads numbers, ranges of numbers, names and none, joined by commas: "7", "0-9",
// "1,3,sneaker,none".
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

// parsePart reads one part of a list: the first and the last class of a range.
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

// firstNames joins names; of many names only the first.
func firstNames(names []string) option.Message {
	if n := len(names) - namesShown; n > 0 {
		return option.Say("%s and %d more (%v lists them)",
			strings.Join(names[:namesShown], ", "), n, option.Action{Command: "model show"})
	}
	return option.Say("%s", strings.Join(names, ", "))
}
