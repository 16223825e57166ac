package model

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
)

// Parse reads a list of classes, joined by commas: names, numbers, ranges, and none. Examples are
// "7", "0-9" and "1,3,sneaker,none". It returns rows of the label embedding, and notes on what was
// assumed. A mistake is an [*pipeline.OptionError].
//
//   - The exact name of a class comes first, also one with commas or a dash, or the name none. In
//     quotation marks it is nothing else: "b, c". A mark inside is doubled.
//   - Else a name is found without regard to capitals, outer spaces, the way in which accents are
//     stored, and zeros before a number, if only one class has it.
//   - A number that is not a name is the position of a class, from 0.
//   - The ends of a range are names where both are, and else positions. Between two numbers that
//     are names lie the classes that are called by a number between. A range leaves out classes
//     without a training image.
//   - none is the row after the last class. Where a class is called none, this row's number asks
//     for it.
func (l ClassList) Parse(text string) (rows []int32, notes []pipeline.Event, err error) {
	p := newClassParser(l)
	for more := true; more; {
		var part classPart
		if part, text, more, err = p.next(text); err != nil {
			return nil, nil, err
		}
		if rows = append(rows, part.rows...); part.note.Format != "" {
			notes = append(notes, pipeline.Note("%v", part.note))
		}
	}
	return rows, notes, nil
}

// A classParser reads lists of classes.
type classParser struct {
	ClassList
	exact, folded map[string][]int // the classes of a name
	numbers       map[string][]int // classes that are called by a number, without zeros before it
	commas        int              // most commas of a name
}

// A classPart is what a part of a list asks for.
type classPart struct {
	rows []int32
	note option.Message // what was assumed; zero for nothing
}

// newClassParser indexes the names of classes.
func newClassParser(l ClassList) *classParser {
	p := &classParser{ClassList: l, exact: map[string][]int{}, folded: map[string][]int{}, numbers: map[string][]int{}}
	for i, name := range l.Names[:min(len(l.Names), l.N)] {
		p.exact[name] = append(p.exact[name], i)
		p.folded[foldClass(name)] = append(p.folded[foldClass(name)], i)
		if isNumber(name) {
			p.numbers[withoutZeros(name)] = append(p.numbers[withoutZeros(name)], i)
		}
		p.commas = max(p.commas, strings.Count(name, ","))
	}
	return p
}

// foldClass returns what names have in common that people take for the same.
func foldClass(name string) string {
	parts := strings.Split(name, ",")
	for i := range parts {
		parts[i] = text.Fold(parts[i])
	}
	return strings.Join(parts, ",")
}

// isNumber reports whether a text consists of digits.
func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// withoutZeros returns a number without the zeros before it.
func withoutZeros(number string) string {
	return number[:len(number)-1][len(number)-1-len(strings.TrimLeft(number[:len(number)-1], "0")):] +
		number[len(number)-1:]
}

// next reads the first part of a list, and returns what is behind its comma. more is false at the
// end of the list.
func (p *classParser) next(list string) (part classPart, rest string, more bool, err error) {
	if name, rest, more, ok := unquote(list); ok && p.exact[name] != nil {
		part, err := p.named(p.exact[name], name)
		part.note = option.Message{} // nothing else can be meant
		return part, rest, more, err
	}
	ends := commasOf(list, p.commas+1)
	for i := len(ends) - 1; i > 0; i-- {
		name := list[:ends[i]]
		if classes := p.exactly(name); classes != nil {
			part, err := p.named(classes, strings.TrimSpace(name))
			part.note = p.notTheList(name)
			return part, afterComma(list, ends[i]), ends[i] < len(list), err
		}
	}
	part, err = p.part(list[:ends[0]])
	for i := len(ends) - 1; i > 0 && err != nil; i-- {
		if classes := p.folded[foldClass(list[:ends[i]])]; len(classes) == 1 {
			part, err := p.named(classes, list[:ends[i]])
			return part, afterComma(list, ends[i]), ends[i] < len(list), err
		}
	}
	return part, afterComma(list, ends[0]), ends[0] < len(list), err
}

// commasOf returns the positions of the first n commas. The end of the list counts as one.
func commasOf(list string, n int) []int {
	var ends []int
	for from := 0; len(ends) < n; {
		at := strings.IndexByte(list[from:], ',')
		if at < 0 {
			return append(ends, len(list))
		}
		ends = append(ends, from+at)
		from += at + 1
	}
	return ends
}

// afterComma returns what is behind the comma at a position, "" at the end of the list.
func afterComma(list string, at int) string { return list[min(at+1, len(list)):] }

// unquote reads a name in quotation marks, up to a comma or the end of the list.
func unquote(list string) (name, rest string, more, ok bool) {
	s := strings.TrimLeft(list, " ")
	if !strings.HasPrefix(s, `"`) {
		return "", "", false, false
	}
	var b strings.Builder
	for s = s[1:]; ; {
		part, after, closed := strings.Cut(s, `"`)
		b.WriteString(part)
		if !closed {
			return "", "", false, false
		}
		if s = after; !strings.HasPrefix(s, `"`) {
			break
		}
		b.WriteByte('"')
		s = s[1:]
	}
	s = strings.TrimLeft(s, " ")
	rest, more = strings.CutPrefix(s, ",")
	return b.String(), rest, more, more || s == ""
}

// exactly returns the classes of a name, with the spaces around it or, where there is none,
// without.
func (p *classParser) exactly(name string) []int {
	if classes := p.exact[name]; classes != nil {
		return classes
	}
	return p.exact[strings.TrimSpace(name)]
}

// notTheList returns a note where a name with commas could be a list of classes too.
func (p *classParser) notTheList(name string) option.Message {
	parts := strings.Split(name, ",")
	for i, part := range parts {
		if _, err := p.part(part); err != nil {
			return option.Message{}
		}
		parts[i] = quoted(strings.TrimSpace(part))
	}
	return option.Say("%s is the class of this name; the classes of the list are %v", quoted(strings.TrimSpace(name)),
		option.Setting{Option: "class", Value: strings.Join(parts, ",")})
}

// named returns the one class among those that have a name.
func (p *classParser) named(classes []int, name string) (classPart, error) {
	if len(classes) > 1 {
		return classPart{}, p.severalCalled(classes, name)
	}
	c := classes[0]
	if len(p.Counts) > 0 && p.Counts[c] == 0 {
		return classPart{}, option.Errorf("class", option.Quoted(p.nameOf(c)), "it had no picture to train on").
			Cured("the classes with pictures are %v", p.trainedNames())
	}
	part := classPart{rows: []int32{int32(c)}}
	if last := strconv.Itoa(p.N); name == NoClass && p.Null && p.exact[last] == nil {
		part.note = option.Say("%s is the class of this name; %v asks for images of no class", NoClass,
			option.Setting{Option: "class", Value: last})
	}
	return part, nil
}

// severalCalled returns the error of a name that several classes have.
func (p *classParser) severalCalled(classes []int, name string) error {
	wrong := option.Errorf("class", option.Quoted(name), "several classes are called so")
	names := p.namesOf(classes)
	if len(slices.Compact(slices.Sorted(slices.Values(names)))) == len(names) {
		return wrong.Cured("write the whole name as it is: %v", FirstNames(names))
	}
	return wrong.Cured("take the number %s", text.Or(classes))
}

// part reads a part of a list that is not a name with commas.
func (p *classParser) part(raw string) (classPart, error) {
	if classes := p.exactly(raw); classes != nil {
		return p.named(classes, strings.TrimSpace(raw))
	}
	part := strings.TrimSpace(raw)
	classes := p.called(part)
	if part == NoClass && (p.Null || classes == nil) {
		return p.none(classes)
	}
	if classes != nil {
		return p.named(classes, part)
	}
	if isNumber(part) {
		return p.position(part)
	}
	return p.classRange(part)
}

// none returns the row of no class. similar are classes whose names differ from none by case alone.
func (p *classParser) none(similar []int) (classPart, error) {
	row, err := p.noClass()
	part := classPart{rows: []int32{row}}
	if similar != nil {
		part.note = option.Say("%s asks for images of no class; the class is called %v", NoClass,
			FirstNames(p.namesOf(similar)))
	}
	return part, err
}

// called returns the classes of a name: the exact one, or else those that people take for the same.
func (p *classParser) called(name string) []int {
	if classes := p.exactly(name); classes != nil {
		return classes
	}
	if classes := p.folded[foldClass(name)]; classes != nil {
		return classes
	}
	if name = strings.TrimSpace(name); isNumber(name) {
		return p.numbers[withoutZeros(name)]
	}
	return nil
}

// position reads the number of a class, which is not a name.
func (p *classParser) position(number string) (classPart, error) {
	c, err := strconv.Atoi(number)
	if err == nil && c == p.N && p.Null && p.exact[NoClass] != nil {
		return classPart{rows: []int32{int32(c)}}, nil
	}
	if err != nil || c >= p.N {
		return classPart{}, p.outside(number)
	}
	part, err := p.named([]int{c}, "")
	if len(p.numbers) > 0 {
		part.note = option.Say("no class is called %s: it is taken for a position, from 0: class %s", number,
			QuoteClass(p.nameOf(c)))
	}
	return part, err
}

// outside returns the error of numbers beyond the classes.
func (p *classParser) outside(part string) error {
	for i, name := range p.Names {
		if name != strconv.Itoa(i) {
			return option.Errorf("class", part, "the classes are 0-%d, called %v", p.N-1, FirstNames(p.Names))
		}
	}
	return option.Errorf("class", part, "the classes are 0-%d", p.N-1)
}

// nameOf returns the name of a class, or its number where it has none.
func (p *classParser) nameOf(class int) string {
	if class < len(p.Names) {
		return p.Names[class]
	}
	return strconv.Itoa(class)
}

// namesOf returns the names of classes.
func (p *classParser) namesOf(classes []int) []string {
	names := make([]string, len(classes))
	for i, c := range classes {
		names[i] = p.nameOf(c)
	}
	return names
}

// trainedNames lists the classes that have training images.
func (p *classParser) trainedNames() option.Message {
	var trained []int
	for c, n := range p.Counts {
		if n > 0 {
			trained = append(trained, c)
		}
	}
	return FirstNames(p.namesOf(trained))
}

// unknown returns the error of a part that is neither a name nor a number.
func (p *classParser) unknown(part string) error {
	known := option.Say("numbers such as 7, 0-9 or 1,3,5")
	if len(p.Names) > 0 {
		known = option.Say("%v, or names of %v", known, FirstNames(p.Names))
	}
	wrong := option.Errorf("class", option.Quoted(part), "want %v", known)
	if near := p.nearest(part); near != "" {
		return wrong.Cured("did you mean %s?", QuoteClass(near))
	}
	if p.commas > 0 {
		return wrong.Cured(`a name with a comma takes quotation marks, as in '"b, c"', or its number`)
	}
	return wrong
}

// nearest returns the one name that differs from a text by a letter in three at most, "" for none.
func (p *classParser) nearest(part string) string {
	const longest = 64 // of the texts that are compared
	near, least, alone := "", len(part)/3+1, false
	if len(part) > longest {
		return ""
	}
	for _, name := range p.Names {
		if len(name) > longest {
			continue
		}
		switch d := text.Distance(text.Fold(name), text.Fold(part)); {
		case d < least:
			near, least, alone = name, d, true
		case d == least:
			alone = false
		}
	}
	if !alone {
		return ""
	}
	return near
}
