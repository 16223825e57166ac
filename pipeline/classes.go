package pipeline

import (
	"fmt"
	"strconv"
	"strings"
)

// noClass names the class to draw images of no class in particular, from models that were trained for it.
const noClass = "none"

// A classList is the classes that images of a model can be asked for.
type classList struct {
	model string   // for messages
	n     int      // classes
	names []string // of them, as far as they are known
	null  bool     // class n means none
}

func (c *Checkpoint) classList() classList {
	cfg := c.config()
	return classList{model: modelName(c.Path), n: cfg.Classes(), names: c.Meta.Classes, null: cfg.NullClass}
}

// askedClasses returns the classes that images are to take, nil for random ones, if the model has them.
func (c *Checkpoint) askedClasses(o SampleOptions) ([]int32, error) {
	cfg, o := c.config(), o.withDefaults()
	if err := checkGuidance(c, o.Guidance); err != nil {
		return nil, err
	}
	if o.Class == "" {
		return nil, nil
	}
	if cfg.Classes() == 0 {
		return nil, optionErrorf("class", "%s: %s takes no class", o.Class, modelName(c.Path))
	}
	return c.classList().parse(o.Class)
}

// guidance returns a weight, or for 0 the default of the model.
func (c *Checkpoint) guidance(weight float64) float64 {
	switch {
	case weight != 0:
		return weight
	case c.config().NullClass:
		return DefaultGuidance
	}
	return 1
}

// checkGuidance refuses guidance that a model cannot have.
func checkGuidance(ck *Checkpoint, weight float64) error {
	cfg := ck.config()
	switch {
	case weight == 1 || cfg.NullClass:
		return nil
	case cfg.FlowMap:
		return optionErrorf("guidance", "%v: %s is a flow map, which was settled when it was distilled: leave it at 1, or distil its teacher with another", weight, modelName(ck.Path))
	}
	return optionErrorf("guidance", "%v: %s was not trained for it (it has no class that means none): leave it at 1", weight, modelName(ck.Path))
}

// parse reads numbers, ranges of numbers, names and none, joined by commas: "7", "0-9", "1,3,sneaker,none".
func (l classList) parse(text string) ([]int32, error) {
	var list []int32
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == noClass && !l.null {
			return nil, optionErrorf("class", "%s: %s always needs a class", noClass, l.model)
		}
		from, to, err := l.parsePart(part)
		if err != nil {
			return nil, err
		}
		if part != noClass && (from < 0 || to >= l.n) {
			return nil, optionErrorf("class", "%s: the classes are 0-%d", part, l.n-1)
		}
		if from > to {
			return nil, optionErrorf("class", "%s: a range goes upwards: %d-%d", part, to, from)
		}
		for c := from; c <= to; c++ {
			list = append(list, int32(c))
		}
	}
	return list, nil
}

// parsePart reads one part of a list: the first and the last class of a range.
func (l classList) parsePart(part string) (from, to int, err error) {
	if part == noClass {
		return l.n, l.n, nil
	}
	for i, name := range l.names {
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
		known := "numbers such as 7, 0-9 or 1,3,5"
		if len(l.names) > 0 {
			known += ", or names of " + firstNames(l.names)
		}
		return 0, 0, optionErrorf("class", "%q: want %s", part, known)
	}
	return from, to, nil
}

// namesShown is how many names of classes a message lists.
const namesShown = 12

// firstNames joins names, the first of them where there are many.
func firstNames(names []string) string {
	if n := len(names) - namesShown; n > 0 {
		return fmt.Sprintf("%s and %d more (fmimg model show lists them)", strings.Join(names[:namesShown], ", "), n)
	}
	return strings.Join(names, ", ")
}
