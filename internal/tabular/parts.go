package tabular

import (
	"slices"
	"strings"
	"unicode"
)

// The parts of a set.
const (
	Train = "train"
	Val   = "val"
	Test  = "test"
)

// The words by which people name the parts of a set, in lower case.
var (
	TrainWords = []string{"train", "training", "trn"}
	ValWords   = []string{"val", "valid", "validation", "validate", "dev"}
	TestWords  = []string{"test", "testing", "tst", "eval", "evaluation", "holdout"}
)

// fillers are words beside those of a part that say nothing.
var fillers = []string{"set", "sets", "data", "dataset", "split", "images", "image", "samples", "the", "final", "all"}

// PartOf returns the part of a set that a value names, empty for none: "Training", "val2017", "test
// set". Contests call the rows that they score first PublicTest, and the others PrivateTest: these
// are for validation and for testing.
func PartOf(value string) string {
	found, public, private := "", false, false
	for _, word := range words(value) {
		part := ""
		switch word = strings.TrimRight(word, "0123456789"); {
		case slices.Contains(TrainWords, word):
			part = Train
		case slices.Contains(ValWords, word):
			part = Val
		case slices.Contains(TestWords, word):
			part = Test
		case word == "public":
			public = true
		case word == "private":
			private = true
		case word != "" && !slices.Contains(fillers, word):
			return ""
		}
		if part != "" && found != "" && part != found {
			return ""
		}
		found = max(found, part)
	}
	switch {
	case !public && !private:
		return found
	case found == Train || public && private:
		return ""
	case public:
		return Val
	}
	return Test
}

// words cuts a value at signs and before capitals, into words in lower case.
func words(value string) []string {
	var b strings.Builder
	last := ' '
	for _, r := range value {
		if unicode.IsUpper(r) && unicode.IsLower(last) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
		last = r
	}
	return strings.FieldsFunc(b.String(), noLetterOrDigit)
}

func noLetterOrDigit(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
