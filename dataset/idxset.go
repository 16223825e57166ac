package dataset

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// idxName matches the names, in lower case, of files with images: train-images-idx3-ubyte.gz and
// its variants. "t10k" and "test" mean test images, Kaggle has dots for hyphens, and EMNIST puts a
// prefix before. The expression captures the prefix, the part of the set, and the ending .gz.
var idxName = regexp.MustCompile(`^(.*?)(train|t10k|test)[-_.]images[-_.]idx[34][-_.]ubyte(\.gz)?$`)

// classesFile is a file that may stand beside IDX files. It has the name of a class on each line.
const classesFile = "classes.txt"

// fashionClasses are the names of the labels, as the authors of Fashion-MNIST have them.
var fashionClasses = []string{
	"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
}

// idxFiles are the names of the files with images of one set, "" for none.
type idxFiles struct{ train, test string }

// openIDXFolder reads the set of a folder's IDX files.
func openIDXFolder(_ context.Context, path string, _ Options) (*Set, error) {
	sets, err := listIDX(path)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	if len(sets) > 1 {
		some := ""
		for _, f := range sets {
			some = max(some, f.train, f.test)
		}
		return nil, fmt.Errorf("data set %s: it holds %d sets of IDX files: "+
			"name one by the file of its images, such as %s", path, len(sets), filepath.Join(path, some))
	}
	for _, f := range sets {
		return readIDXSet(path, path, *f)
	}
	return nil, fmt.Errorf("data set %s: no file is called like train-images-idx3-ubyte.gz", path)
}

// openIDXFile reads the set that a file with images belongs to.
func openIDXFile(path string) (*Set, error) {
	folder, name := filepath.Split(path)
	if folder == "" {
		folder = "."
	}
	sets, err := listIDX(folder)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	prefix := idxName.FindStringSubmatch(strings.ToLower(name))[1]
	return readIDXSet(folder, path, *sets[prefix])
}

// listIDX finds a folder's files with images, by the prefix of their set. Where a file is there
// compressed and not, the uncompressed one counts.
func listIDX(folder string) (map[string]*idxFiles, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	sets := map[string]*idxFiles{}
	for _, e := range entries { // sorted, so a name comes before the same name with .gz
		m := idxName.FindStringSubmatch(strings.ToLower(e.Name()))
		if m == nil || e.IsDir() {
			continue
		}
		if sets[m[1]] == nil {
			sets[m[1]] = &idxFiles{}
		}
		slot := &sets[m[1]].train
		if m[2] != "train" {
			slot = &sets[m[1]].test
		}
		if *slot == "" {
			*slot = e.Name()
		}
	}
	return sets, nil
}

// readIDXSet reads a set's files in a folder; path is what the user named.
func readIDXSet(folder, path string, f idxFiles) (*Set, error) {
	classes, err := readLines(filepath.Join(folder, classesFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	set := &Set{Format: "IDX files", Path: path}
	if f.train == "" {
		f = idxFiles{train: f.test}
	}
	name, sum := baseName(path), sha256.New()
	train, err := readIDXPart(name, folder, f.train, classes, sum)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	set.Train = train
	if f.test != "" {
		test, err := readIDXPart(name+"/test", folder, f.test, train.classes, sum)
		if err == nil {
			err = sameShape(train, test)
		}
		if err != nil {
			return nil, fmt.Errorf("data set %s: %w", path, err)
		}
		set.Test = test
	}
	set.Digest = hex.EncodeToString(sum.Sum(nil))
	return set, nil
}

func sameShape(a, b *labelled) error {
	if a.h != b.h || a.w != b.w || a.c != b.c {
		return fmt.Errorf("images to train on have %dx%d pixels and %d channels, those to test on %dx%d and %d: "+
			"do the files belong together?", a.h, a.w, a.c, b.h, b.w, b.c)
	}
	return nil
}

// readIDXPart reads a file with images, and the file with their labels when there is one. It adds
// both to the digest. When classes is nil, the classes are the numbers up to the highest label.
func readIDXPart(name, folder, file string, classes []string, digest io.Writer) (*labelled, error) {
	images, err := readIDXFile(filepath.Join(folder, file))
	if err != nil {
		return nil, err
	}
	var labels idxArray
	if of := labelsFile(folder, file); of != "" {
		if labels, err = readIDXFile(filepath.Join(folder, of)); err != nil {
			return nil, err
		}
		if classes == nil {
			classes = numbered(folder, labels.data)
		}
	} else {
		classes = nil
	}
	for _, data := range [][]byte{images.data, labels.data} {
		_, _ = fmt.Fprintln(digest, len(data)) // a hash takes everything
		_, _ = digest.Write(data)
	}
	s, err := newLabelled(name, images, labels, classes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// labelsFile returns the name of the labels for a file with images, compressed or not; "" for none.
func labelsFile(folder, file string) string {
	lower := strings.ToLower(file)
	end := strings.TrimSuffix(lower, ".gz")
	at := strings.LastIndex(end, "images") // in lower case; the name is cut at the same place
	number := strings.LastIndex(end, "idx") + len("idx")
	base := file[:at] + "labels" + file[at+len("images"):number] + "1" + file[number+1:len(end)]
	for _, name := range []string{base, base + ".gz"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err == nil && !info.IsDir() {
			return name
		}
	}
	return ""
}

// numbered returns names for the classes of labels: those of Fashion-MNIST for a folder of that
// name, otherwise numbers.
func numbered(folder string, labels []byte) []string {
	if len(labels) == 0 {
		return nil
	}
	n := int(slices.Max(labels)) + 1
	if strings.Contains(strings.ToLower(baseName(folder)), "fashion") && n == len(fashionClasses) {
		return fashionClasses
	}
	classes := make([]string, n)
	for i := range classes {
		classes[i] = strconv.Itoa(i)
	}
	return classes
}

// readIDXFile reads a file, compressed or not.
func readIDXFile(path string) (idxArray, error) {
	file, err := openRegular(path)
	if err != nil {
		return idxArray{}, err
	}
	defer func() { _ = file.Close() }()
	r := bufio.NewReaderSize(file, 1<<16)
	head, err := r.Peek(2)
	if err != nil {
		return idxArray{}, fmt.Errorf("%s: %w", filepath.Base(path), truncatedIDX("header", err))
	}
	read := readIDX
	if isGzip(head) {
		read = readGzipIDX
	}
	array, err := read(r, 0)
	if err != nil {
		return idxArray{}, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return array, nil
}

// maxLines bounds a list of classes.
const maxLines = 1 << 12

// readLines returns the lines of a small text file that are not blank.
func readLines(path string) ([]string, error) {
	file, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var lines []string
	scan := bufio.NewScanner(file)
	for scan.Scan() {
		if line := strings.TrimSpace(scan.Text()); line != "" {
			lines = append(lines, line)
		}
		if len(lines) > maxLines {
			return nil, fmt.Errorf("%s: more than %d lines: is it a list of classes?", filepath.Base(path), maxLines)
		}
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return lines, nil
}
