package model

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
)

// classRange reads a range of classes, which is not a name. Its ends are names where both are.
func (p *classParser) classRange(part string) (classPart, error) {
	splits := p.namedEnds(part)
	low, high, isRange := strings.Cut(part, "-")
	low, high = strings.TrimSpace(low), strings.TrimSpace(high)
	numbers := isRange && isNumber(low) && isNumber(high)
	switch {
	case numbers && text.CompareNatural(withoutZeros(low), withoutZeros(high)) > 0:
		return classPart{}, upwards(part, high, low)
	case len(splits) > 1:
		return classPart{}, option.Errorf("class", option.Quoted(part),
			"it is a range between names in several ways: list the classes with commas")
	case len(splits) == 1 && numbers:
		return p.trained(part, p.numbersWithin(low, high), option.Message{})
	case len(splits) == 1:
		ends := splits[0]
		if ends[0] > ends[1] {
			return classPart{}, upwards(part, p.nameOf(ends[1]), p.nameOf(ends[0]))
		}
		return p.trained(part, between(ends[0], ends[1]), option.Message{})
	case numbers:
		return p.positions(part, low, high)
	}
	return classPart{}, p.unknown(part)
}

// upwards returns the error of a range whose first end is the higher one.
func upwards(part, low, high string) error {
	return option.Errorf("class", part, "a range goes upwards: %s-%s", low, high)
}

// between returns the numbers from first to last.
func between(first, last int) []int {
	var list []int
	for c := first; c <= last; c++ {
		list = append(list, c)
	}
	return list
}

// namedEnds returns the classes at both ends of a range, for each dash that stands between the
// names of two classes. Exact names on both sides come first.
func (p *classParser) namedEnds(part string) [][2]int {
	for _, find := range []func(string) []int{p.exactly, p.called} {
		var found [][2]int
		for at := range len(part) {
			if part[at] != '-' {
				continue
			}
			low, high := find(part[:at]), find(part[at+1:])
			if len(low) == 1 && len(high) == 1 {
				found = append(found, [2]int{low[0], high[0]})
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// numbersWithin returns the classes that are called by a number from low to high, in the order of
// these numbers.
func (p *classParser) numbersWithin(low, high string) []int {
	low, high = withoutZeros(low), withoutZeros(high)
	var list []int
	for number, classes := range p.numbers {
		if text.CompareNatural(low, number) <= 0 && text.CompareNatural(number, high) <= 0 {
			list = append(list, classes...)
		}
	}
	slices.SortFunc(list, func(a, b int) int { return text.CompareNatural(p.Names[a], p.Names[b]) })
	return list
}

// positions reads a range of numbers that are not both names. They are positions, unless all
// classes are called by numbers: then those within could be meant too.
func (p *classParser) positions(part, low, high string) (classPart, error) {
	from, err1 := strconv.Atoi(low)
	to, err2 := strconv.Atoi(high)
	if err1 != nil || err2 != nil || to >= p.N {
		return classPart{}, p.outside(part)
	}
	within := p.numbersWithin(low, high)
	allNumbers := len(p.numbers) > 0 && !slices.ContainsFunc(p.Names, func(name string) bool { return !isNumber(name) })
	switch {
	case len(p.numbers) == 0 || slices.Equal(within, between(from, to)):
		return p.trained(part, between(from, to), option.Message{})
	case allNumbers && len(within) > 0:
		return classPart{}, option.Errorf("class", part, "not both ends are names of classes, "+
			"so it could mean those called %v, or as positions from 0 those called %v", FirstNames(p.namesOf(within)),
			FirstNames(p.namesOf(between(from, to)))).Cured("give names at both ends")
	}
	return p.trained(part, between(from, to), option.Say("%s is taken for positions, from 0: the classes %v", part,
		FirstNames(p.namesOf(between(from, to)))))
}

// trained returns the classes of a range without those that had no training image. It adds a note
// on these to another one.
func (p *classParser) trained(part string, classes []int, note option.Message) (classPart, error) {
	out := classPart{note: note}
	var empty []int
	for _, c := range classes {
		if len(p.Counts) > 0 && p.Counts[c] == 0 {
			empty = append(empty, c)
		} else {
			out.rows = append(out.rows, int32(c))
		}
	}
	if len(empty) == 0 {
		return out, nil
	}
	if len(out.rows) == 0 {
		return out, option.Errorf("class", part, "none of these classes had a picture to train on").
			Cured("the classes with pictures are %v", p.trainedNames())
	}
	left := option.Say("%s leaves out the classes without a picture to train on: %v", part, FirstNames(p.namesOf(empty)))
	if out.note = left; note.Format != "" {
		out.note = option.Say("%v; %v", note, left)
	}
	return out, nil
}
