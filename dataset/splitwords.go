package dataset

import (
	"slices"
	"strings"
	"unicode"
)

// The words that name the folders of a split, and words that may stand beside them.
var (
	trainWords = []string{"train", "training", "trn"}
	testWords  = []string{
		"test", "testing", "tst", "val", "valid", "validation", "validate", "dev", "eval", "evaluation", "holdout",
	}
	splitFillers = []string{
		"seg", "set", "sets", "data", "dataset", "split", "images", "image", "imgs", "img", "pictures", "photos", "pics",
		"folder", "files", "samples", "the", "my", "new", "final", "all", "hq", "lq", "small",
	}
)

// splitOf tells whether a folder's name is that of a split: "train", "seg_test", "Validation Set",
// "val2017". The domains of image translation, "trainA" and "trainB", are splits with a class.
func splitOf(folder string) (r role, class string, ok bool) {
	words, domain := splitWordsOf(folder)
	found, ok := splitAmong(words, splitFillers)
	return found, domain, ok
}

// splitAmong tells whether words are that of a split and fillers.
func splitAmong(words, fillers []string) (found role, ok bool) {
	found = outside
	for _, word := range words {
		word = strings.TrimRight(word, "0123456789")
		var is role
		switch {
		case slices.Contains(trainWords, word):
			is = toTrain
		case slices.Contains(testWords, word):
			is = toTest
		case word == "" || slices.Contains(fillers, word):
			continue
		default:
			return outside, false
		}
		if found != outside && found != is {
			return outside, false
		}
		found = is
	}
	return found, found != outside
}

// splitWordsOf returns the words of a folder's name in lower case. domain is the last letter of a
// name such as trainA, "" for others.
func splitWordsOf(folder string) (words []string, domain string) {
	for _, word := range slices.Concat(trainWords, testWords) {
		if len(folder) == len(word)+1 && strings.EqualFold(folder[:len(word)], word) {
			if last := folder[len(word):]; last == "A" || last == "B" {
				return []string{word}, last
			}
		}
	}
	return strings.FieldsFunc(strings.ToLower(folder), noLetterOrDigit), ""
}

func noLetterOrDigit(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// unlabelledWords are the names of folders that may lie beside the folder for training, and whose
// pictures have no class.
var unlabelledWords = []string{
	"unlabeled", "unlabelled", "unlabeled_data", "unsup", "unsupervised", "extra", "pred", "predict", "prediction",
	"submission", "infer", "inference",
}

// A wordSplit is a folder whose name has the word of a split among others: "cats_train".
type wordSplit struct {
	role  role
	words []string // the others, as they are spelled
}

// wordSplitOf reads the name of a folder. ok is false unless exactly one word is that of a split.
func wordSplitOf(folder string) (w wordSplit, ok bool) {
	w.role = outside
	for word := range strings.FieldsFuncSeq(folder, noLetterOrDigit) {
		r, _, is := splitOf(word)
		switch {
		case !is:
			w.words = append(w.words, word)
		case w.role != outside:
			return w, false
		default:
			w.role = r
		}
	}
	return w, w.role != outside
}

// divideByWords divides pictures where each folder at the top has the word of a split in its name,
// with training and testing among them. What the other words of all folders share is dropped, and
// the rest is the class: "cats_train", "dogs_train", "cats_test". It reports whether it did so.
func (l *layout) divideByWords() bool {
	tops := topFolders(l.counted(l.rest))
	splits := make(map[string]wordSplit, len(tops))
	for _, f := range tops {
		w, ok := wordSplitOf(f.name)
		if !ok {
			return false
		}
		splits[f.name] = w
	}
	classes := classesOfSplits(splits)
	if classes == nil {
		return false
	}
	for i, name := range l.rest {
		top, below, ok := strings.Cut(name, "/")
		switch {
		case l.roles[i] == outside:
		case !ok:
			l.roles[i] = outside
		default:
			l.roles[i] = splits[top].role
			l.rest[i] = strings.TrimPrefix(classes[top]+"/"+below, "/")
		}
	}
	l.note("the names of folders divide the pictures into those to train on and to test on: %s", folderList(tops))
	return true
}

// classesOfSplits returns the class that each folder's name has beside the word of its split. It is
// nil where the folders are not for training and testing of the same classes.
func classesOfSplits(splits map[string]wordSplit) map[string]string {
	used := map[string]int{}
	for _, w := range splits {
		for _, word := range w.words {
			used[strings.ToLower(word)]++
		}
	}
	classes, in := map[string]string{}, map[role]map[string]bool{toTrain: {}, toTest: {}}
	for folder, w := range splits {
		own := slices.DeleteFunc(slices.Clone(w.words), func(word string) bool {
			return used[strings.ToLower(word)] == len(splits)
		})
		classes[folder] = strings.Join(own, "_")
		in[w.role][classes[folder]] = true
	}
	if len(in[toTrain]) == 0 || len(in[toTest]) == 0 {
		return nil
	}
	for class := range in[toTest] {
		if !in[toTrain][class] {
			return nil
		}
	}
	return classes
}
