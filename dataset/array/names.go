package array

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/fmimg/fmimg/dataset/tree"
)

// fashionClasses are the names of the labels, as the authors of Fashion-MNIST have them.
var fashionClasses = []string{
	"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
}

// cifarClasses are the names of CIFAR-10's labels.
var cifarClasses = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// KnownClasses returns the names of n labels of a well-known set, by the name of its folder or
// file, and nil where none is known.
func KnownClasses(name string, n int) []string {
	if strings.Contains(strings.ToLower(name), "fashion") && n == len(fashionClasses) {
		return slices.Clone(fashionClasses)
	}
	return nil
}

// What the words in the name of a file or array say about it.
var (
	partWords = map[string]string{
		"train": "train", "training": "train", "tr": "train", "trn": "train",
		"test": "test", "testing": "test", "te": "test", "tst": "test", "t10k": "test",
		"test10k": "test10k", "test50k": "test50k",
		"val": "val", "valid": "val", "validation": "val", "dev": "val",
	}
	imageWords = []string{"x", "images", "image", "imgs", "img", "data", "features", "pixels", "pictures",
		"samples", "inputs", "input"}
	labelWords = []string{"y", "labels", "label", "lbls", "lbl", "targets", "target", "class", "classes", "gt"}
)

// The roles of arrays.
const (
	imagesRole = "images"
	labelsRole = "labels"
)

// words says what the name of an array means: to which part of a set it belongs, and whether it has
// images or labels, each empty where the name does not say. rest is what else the name has.
func words(stem string) (rest, part, role string) {
	var others []string
	for _, word := range split(stem) {
		switch {
		case partWords[word] != "" && part == "":
			part = partWords[word]
		case slices.Contains(labelWords, word):
			role = labelsRole
		case slices.Contains(imageWords, word):
			if role == "" {
				role = imagesRole
			}
		default:
			others = append(others, word)
		}
	}
	return strings.Join(others, "-"), part, role
}

// split cuts a name into words in lower case: at signs, before capitals (XTrain), and where x or y
// is written together with a part (xtrain).
func split(stem string) []string {
	var list []string
	for _, field := range strings.FieldsFunc(stem, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		start, runes := 0, []rune(field)
		for i := 1; i < len(runes); i++ {
			if unicode.IsUpper(runes[i]) && (unicode.IsLower(runes[i-1]) || i == 1 && i+1 < len(runes) && unicode.IsLower(runes[2])) {
				list = append(list, apart(strings.ToLower(string(runes[start:i])))...)
				start = i
			}
		}
		list = append(list, apart(strings.ToLower(string(runes[start:])))...)
	}
	return list
}

// apart cuts "xtrain" and "trainx" into two words.
func apart(word string) []string {
	for _, xy := range []string{"x", "y"} {
		if part, ok := strings.CutPrefix(word, xy); ok && partWords[part] != "" {
			return []string{xy, part}
		}
		if part, ok := strings.CutSuffix(word, xy); ok && partWords[part] != "" {
			return []string{part, xy}
		}
	}
	return []string{word}
}

// namesBeside finds the names of the classes of a set in a folder's files. prefix is what begins
// the names of the set's own files.
func namesBeside(folder []*tree.File, prefix string) (names, []*tree.File, error) {
	for _, f := range folder {
		base := strings.ToLower(path.Base(f.Name))
		var read func(string, []string) (names, error)
		switch {
		case base == "classes.txt", base == "class_names.txt", base == "label_names.txt":
			read = func(from string, list []string) (names, error) { return names{list: list, from: from, first: -1}, nil }
		case base == "labels.txt":
			read = func(from string, list []string) (names, error) {
				return names{list: list, from: from, first: -1, maybe: true}, nil
			}
		case prefix != "" && strings.HasPrefix(base, prefix) && strings.HasSuffix(base, "mapping.txt"):
			read = mapping
		case strings.HasSuffix(base, "classmap.csv"):
			read = classMap
		default:
			continue
		}
		list, err := lines(f)
		if err != nil {
			return names{}, nil, err
		}
		if len(list) == 0 {
			return names{}, nil, fmt.Errorf("%s is empty: give it a line for each class, or take it away", path.Base(f.Name))
		}
		found, err := read(path.Base(f.Name), list)
		return found, []*tree.File{f}, err
	}
	return names{}, nil, nil
}

// mapping reads EMNIST's list of classes: a label and one or two code points on each line.
func mapping(from string, list []string) (names, error) {
	found := names{from: from}
	for i, line := range list {
		fields := strings.Fields(line)
		var numbers []int
		for _, field := range fields {
			n, err := strconv.Atoi(field)
			if err != nil || n < 0 || n > unicode.MaxRune {
				return names{}, fmt.Errorf("%s: line %d is not a label and code points", from, i+1)
			}
			numbers = append(numbers, n)
		}
		if i == 0 && numbers[0] == 1 {
			found.first = 1
		}
		if len(numbers) < 2 || numbers[0] != i+found.first {
			return names{}, fmt.Errorf("%s: line %d does not name label %d", from, i+1, i+found.first)
		}
		name := ""
		for _, code := range numbers[1:] {
			if c := string(rune(code)); !strings.Contains(name, c) {
				name += c
			}
		}
		found.list = append(found.list, name)
	}
	return found, nil
}

// classMap reads Kuzushiji's list of classes: a label, a code point and a character on each line,
// below a header.
func classMap(from string, list []string) (names, error) {
	found := names{from: from}
	for i, line := range list {
		fields := strings.Split(line, ",")
		label, err := strconv.Atoi(strings.TrimSpace(fields[0]))
		switch {
		case err != nil && i == 0:
			continue
		case err != nil || len(fields) < 2 || label != len(found.list):
			return names{}, fmt.Errorf("%s: line %d does not name label %d", from, i+1, len(found.list))
		}
		found.list = append(found.list, strings.TrimSpace(fields[len(fields)-1]))
	}
	return found, nil
}
