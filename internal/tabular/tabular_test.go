package tabular

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestPartOf(t *testing.T) {
	for part, values := range map[string][]string{
		Train: {"train", "Training", "TRAIN", " trn ", "train set", "training_data", "train2017"},
		Val:   {"val", "Validation", "valid", "dev", "PublicTest", "Public", "public_test", "val2017"},
		Test:  {"test", "Testing", "PrivateTest", "private", "testSet", "holdout"},
		"":    {"", "0", "cat", "train/test", "train val", "traincat", "public private", "PublicTraining", "set"},
	} {
		for _, value := range values {
			if got := PartOf(value); got != part {
				t.Errorf("%q is of part %q, want %q", value, got, part)
			}
		}
	}
}

// counted counts values.
func counted(values ...string) map[string]int {
	counts := map[string]int{}
	for _, value := range values {
		counts[value]++
	}
	return counts
}

func TestReadSplit(t *testing.T) {
	for _, c := range []struct {
		header string
		values string // between spaces; _ for an empty one
		parts  string // of the values, sorted
		note   string
	}{
		{"split", "train val train test", "test:test train:train val:val", ""},
		{"Usage", "Training PublicTest PrivateTest", "PrivateTest:test PublicTest:val Training:train", ""},
		{"partition", "0 0 1 2", "0:train 1:val 2:test", "0 was taken for training, 1 for validation and 2 for testing"},
		{"Partition", "0.0 1.0 2.0", "0.0:train 1.0:val 2.0:test", "0 was taken"},
		{"split", "0 1 2 _", ":train 0:train 1:val 2:test", "0 was taken"},
		{"split", "0 1 _", "", "whether 0 or 1"},
		{"split", "0 1", "", "whether 0 or 1 is to train on is not known"},
		{"split", "0 2", "", "its values (0, 2) are not parts"},
		{"split", "1 2 3", "", "its values (1, 2, 3) are not parts"},
		{"is_train", "1 1 0", "0:test 1:train", ""},
		{"IsTrain", "True False", "False:test True:train", ""},
		{"is test", "no yes", "no:train yes:test", ""},
		{"is_valid", "0.0 1.0", "0.0:train 1.0:test", ""},
		{"is_test", "1 _ _ _", ":train 1:test", "what has another value is trained on: nothing (3)"},
		{"is_test", "1 1", "1:test", ""},
		{"fold", "0 1 2 3 4", "", "folds are not read"},
		{"fold", "train test", "test:test train:train", ""},
		{"usage", "Casual Sports Formal Ethnic Travel", "", "its values (Casual, Ethnic, Formal, Sports, 1 more) are not parts"},
		{"usage", "Casual Sports test", "", "its values (Casual, Sports, test) are not parts"},
		{"split", "train test train extra", "extra:train test:test train:train", "what has another value is trained on: extra (1)"},
	} {
		s := ReadSplit(KindOf(c.header), counted(strings.Fields(c.values)...))
		if strings.Contains(c.values, "_") {
			values := strings.Fields(strings.ReplaceAll(c.values, "_", ""))
			s = ReadSplit(KindOf(c.header), counted(append(values, slices.Repeat([]string{""}, strings.Count(c.values, "_"))...)...))
		}
		var parts []string
		for _, value := range slices.Sorted(maps.Keys(s.Parts)) {
			parts = append(parts, value+":"+s.Parts[value])
		}
		if got := strings.Join(parts, " "); got != c.parts || !strings.Contains(s.Note, c.note) || (c.note == "") != (s.Note == "") {
			t.Errorf("%s of %s: %s, note %q", c.header, c.values, got, s.Note)
		}
		if both := strings.Contains(c.parts, ":train") && (strings.Contains(c.parts, ":val") || strings.Contains(c.parts, ":test")); s.Divides() != both {
			t.Errorf("%s of %s: divides %v", c.header, c.values, s.Divides())
		}
	}
}

func TestMissing(t *testing.T) {
	for labels, want := range map[string]string{
		"cat,dog,nan,NaN,N/A,<NA>,null,NULL,#N/A": "#N/A <NA> N/A NULL NaN nan null",
		"cat,dog,None": "None", "0,1,None,none,na,NA,-,?": "- ? NA None na none", "cat,dog,none,na,NA": "NA",
		"Mild,Severe,None": "", "0,1,-1": "", "US,FR,NA": "", "MEL,NV,NA": "NA", "NA": "NA", "cat,-": "-",
		"0,1,+,-,?": "", "None": "", "none": "", "nano,banana,nullable": "", ",cat": "", "Cat,Dog,NaN": "NaN", "nan ,cat": "nan ",
	} {
		counts := counted(strings.Split(labels, ",")...)
		got := slices.Sorted(maps.Keys(Missing(counts)))
		if strings.Join(got, " ") != want {
			t.Errorf("of %s %q are missing, want %q", labels, got, want)
		}
	}
	counts := map[string]int{"nan": 3, "cat": 9, "?": 1}
	if got := MissingNote(Missing(counts), counts); got != "counted as without a label: ? (1), nan (3)" {
		t.Error(got)
	}
	if got := MissingNote(Missing(nil), nil); got != "" {
		t.Errorf("%q for no labels", got)
	}
}
