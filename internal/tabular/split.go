package tabular

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/text"
)

// A Kind says what the name of a column tells of parts of a set.
type Kind int

// The kinds of columns.
const (
	NoSplit Kind = iota
	Parts        // its values name the parts
	IsTrain      // its values say whether a row is to train on
	IsTest       // its values say whether a row is not to train on
	Folds        // its values number the folds of a cross-validation
)

// names are the kinds of columns by their names, with "_" for what is no letter and no digit.
var names = map[string]Kind{
	"split": Parts, "splits": Parts, "subset": Parts, "usage": Parts, "partition": Parts, "set": Parts,
	"data_split": Parts, "dataset_split": Parts, "data_set": Parts, "eval_partition": Parts, "evaluation_status": Parts,
	"train_test": Parts, "train_test_split": Parts, "train_val_test": Parts, "which_set": Parts,
	"is_train": IsTrain, "istrain": IsTrain, "is_training": IsTrain, "istraining": IsTrain, "in_train": IsTrain,
	"is_training_image": IsTrain,
	"is_test":           IsTest, "istest": IsTest, "is_testing": IsTest, "is_val": IsTest, "isval": IsTest, "is_valid": IsTest,
	"isvalid": IsTest, "is_validation": IsTest, "isvalidation": IsTest, "is_dev": IsTest, "is_eval": IsTest,
	"is_holdout": IsTest, "in_test": IsTest, "in_val": IsTest,
	"fold": Folds, "folds": Folds, "kfold": Folds, "k_fold": Folds, "fold_id": Folds, "cv_fold": Folds,
}

// KindOf returns what the name of a column tells.
func KindOf(name string) Kind { return names[Name(name)] }

// Name returns the name of a column in the form in which names are compared: in lower case, with
// "_" for what is no letter and no digit.
func Name(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), noLetterOrDigit), "_")
}

// A Split says which part of a set the values of a column mean.
type Split struct {
	Parts map[string]string // Train, Val or Test by the value; nil where the column is not read
	Note  string            // what was assumed, or why the column is not read; empty for neither
}

// Divides reports whether some values mean to train and others not.
func (s Split) Divides() bool {
	parts := slices.Collect(maps.Values(s.Parts))
	return slices.Contains(parts, Train) && slices.ContainsFunc(parts, func(part string) bool { return part != Train })
}

// Part returns the part that a value means. What means none is trained on.
func (s Split) Part(value string) string { return cmp.Or(s.Parts[strings.TrimSpace(value)], Train) }

// ReadSplit tells what the values of a column of some kind mean, which counts has with their rows,
// without spaces around them.
// Rows with a value that means nothing are trained on, where the values of most rows mean a part.
func ReadSplit(kind Kind, counts map[string]int) Split {
	if kind == Parts && numbered(counts, "0", "1", "2") {
		return byNumbers(counts)
	}
	s := Split{Parts: map[string]string{}}
	var unknown []string
	known, others := 0, 0
	for _, value := range slices.SortedFunc(maps.Keys(counts), text.CompareNatural) {
		part, empty := partBy(kind, value), strings.TrimSpace(value) == ""
		if s.Parts[value] = cmp.Or(part, Train); part == "" {
			unknown = append(unknown, value)
		}
		switch {
		case part != "":
			known += counts[value]
		case !empty:
			others += counts[value]
		}
	}
	switch {
	case known == 0 && kind == Folds:
		return Split{Note: "folds are not read: a column called split with train and test in it divides"}
	case known == 0 && kind == Parts && numbered(counts, "0", "1"):
		return Split{Note: "whether 0 or 1 is to train on is not known, and it is not read: " +
			"call the column is_train or is_test, or write train and test into it"}
	case known <= others:
		return Split{Note: fmt.Sprintf("it is not read, as its values (%s) are not parts of a set such as train and test",
			list(slices.SortedFunc(maps.Keys(counts), text.CompareNatural), nil))}
	case len(unknown) > 0:
		s.Note = "what has another value is trained on: " + list(unknown, counts)
	}
	return s
}

// partBy returns the part that one value means, empty for none.
func partBy(kind Kind, value string) string {
	if kind == Parts || kind == Folds {
		return PartOf(value)
	}
	is, ok := truth(value)
	switch {
	case !ok:
		return ""
	case is == (kind == IsTrain):
		return Train
	}
	return Test
}

// truth reads yes and no.
func truth(value string) (is, ok bool) {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "true", "1", "1.0", "yes", "t", "y":
		return true, true
	case "false", "0", "0.0", "no", "f", "n":
		return false, true
	}
	return false, false
}

// byNumbers takes 0, 1 and 2 for the parts that CelebA numbers so.
func byNumbers(counts map[string]int) Split {
	s := Split{Parts: map[string]string{}, Note: "0 was taken for training, 1 for validation and 2 for testing"}
	for value := range counts {
		s.Parts[value] = cmp.Or(map[string]string{"1": Val, "2": Test}[whole(value)], Train)
	}
	return s
}

// numbered reports whether the values that are not empty are some whole numbers, and each of these
// occurs.
func numbered(counts map[string]int, numbers ...string) bool {
	seen := map[string]bool{}
	for value := range counts {
		seen[whole(value)] = true
	}
	delete(seen, "")
	return len(seen) == len(numbers) && !slices.ContainsFunc(numbers, func(n string) bool { return !seen[n] })
}

// whole returns a number without spaces and a fraction of zero.
func whole(value string) string { return strings.TrimSuffix(strings.TrimSpace(value), ".0") }

// listed bounds the values in a note.
const listed = 4

// list names values, with their counts where there are some.
func list(values []string, counts map[string]int) string {
	var parts []string
	for _, value := range values[:min(len(values), listed)] {
		part := text.Printable(value)
		if strings.TrimSpace(value) == "" {
			part = "nothing"
		}
		if counts != nil {
			part += fmt.Sprintf(" (%d)", counts[value])
		}
		parts = append(parts, part)
	}
	if n := len(values) - len(parts); n > 0 {
		parts = append(parts, fmt.Sprintf("%d more", n))
	}
	return strings.Join(parts, ", ")
}
