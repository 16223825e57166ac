package dataset

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// CIFAR-10's binary version (https://www.cs.toronto.edu/~kriz/cifar.html) has records of a label
// and an image. The red, green and blue planes of an image follow each other, each row after row.
const (
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifarRecord = 1 + 3*cifarPlane
	// cifarMaxImages bounds a file: the real ones have 10,000.
	cifarMaxImages = 1 << 20
)

var cifarName = regexp.MustCompile(`^(data_batch_\d+|test_batch)\.bin$`)

// The batch of the test images, and the names of the classes.
const (
	cifarTestFile    = "test_batch.bin"
	cifarClassesFile = "batches.meta.txt"
)

var cifarClasses = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// openCIFARFolder reads the batches of a folder.
func openCIFARFolder(_ context.Context, path string, _ Options) (*Set, error) {
	set, err := readCIFARFolder(path)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	return set, nil
}

func readCIFARFolder(path string) (*Set, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var batches, tests []string
	for _, e := range entries {
		switch file := filepath.Join(path, e.Name()); {
		case !cifarName.MatchString(e.Name()):
		case e.Name() == cifarTestFile:
			tests = append(tests, file)
		default:
			batches = append(batches, file)
		}
	}
	if len(batches) == 0 {
		batches, tests = tests, nil
	}
	classes, err := readLines(filepath.Join(path, cifarClassesFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		classes = cifarClasses
	case err != nil:
		return nil, err
	case len(classes) != len(cifarClasses):
		return nil, fmt.Errorf("%s names %d classes, want %d", cifarClassesFile, len(classes), len(cifarClasses))
	}
	return readCIFARSet(path, batches, tests, classes)
}

// openCIFARFile reads one batch.
func openCIFARFile(path string) (*Set, error) {
	set, err := readCIFARSet(path, []string{path}, nil, cifarClasses)
	if err != nil {
		return nil, fmt.Errorf("data set %s: %w", path, err)
	}
	return set, nil
}

func readCIFARSet(path string, batches, tests, classes []string) (*Set, error) {
	set := &Set{Format: "CIFAR-10 batches", Path: path}
	sum := sha256.New()
	train, err := readCIFARFiles(baseName(path), batches, classes, sum)
	if err != nil {
		return nil, err
	}
	set.Train = train
	if tests != nil {
		test, err := readCIFARFiles(baseName(path)+"/test", tests, classes, sum)
		if err != nil {
			return nil, err
		}
		set.Test = test
	}
	set.Digest = hex.EncodeToString(sum.Sum(nil))
	return set, nil
}

// readCIFARFiles joins the images of files.
func readCIFARFiles(name string, files, classes []string, digest hash.Hash) (*labelled, error) {
	s := &labelled{name: name, h: cifarSide, w: cifarSide, c: 3, classes: classes}
	for _, path := range files {
		file, err := openRegular(path)
		if err != nil {
			return nil, err
		}
		err = readCIFAR(io.TeeReader(bufio.NewReaderSize(file, 1<<16), digest), s)
		_ = file.Close() // only read
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
	}
	return s, nil
}

// readCIFAR adds the records of a file to s. A file without a record is an error. Memory grows with
// the bytes that come in.
func readCIFAR(r io.Reader, s *labelled) error {
	record := make([]byte, cifarRecord)
	for n := 0; ; n++ {
		got, err := io.ReadFull(r, record)
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("the file is empty: copy it again")
		case errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("%d bytes after image %d, and each takes %d: "+
				"the file is cut off, copy it again, or it is no CIFAR-10 batch", got, n, cifarRecord)
		case err != nil:
			return err
		case int(record[0]) >= len(s.classes):
			return fmt.Errorf("label %d of image %d is not below %d: is it a batch of CIFAR-10's binary version?",
				record[0], n, len(s.classes))
		case n == cifarMaxImages:
			return fmt.Errorf("more than %d images", cifarMaxImages)
		}
		s.labels = append(s.labels, int32(record[0]))
		s.images = append(s.images, interleaved(record[1:]))
	}
}

// interleaved returns the pixels of three planes with channels contiguous.
func interleaved(planes []byte) []byte {
	pixels := make([]byte, 3*cifarPlane)
	for i := range cifarPlane {
		for c := range 3 {
			pixels[3*i+c] = planes[c*cifarPlane+i]
		}
	}
	return pixels
}
