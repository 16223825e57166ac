package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is not there of a set is said, where the names of the rest tell it.
func TestMissingParts(t *testing.T) {
	rows, err := os.ReadFile("rows/testdata/none.parquet")
	if err != nil {
		t.Fatal(err)
	}
	archive := zipOf(t, map[string][]byte{"a.png": plainPNG(t, 4, 4, red)})
	batch := cifarFile(1)
	for _, c := range []struct {
		name  string
		files map[string][]byte
		note  string // empty for none
	}{
		{"one of two", map[string][]byte{"train-00000-of-00002.parquet": rows}, "1 of 2 parts is there: train-00001-of-00002 is missing"},
		{"in folders", map[string][]byte{"data/train-00001-of-00002-0a3f.parquet": rows, "data/test-00000-of-00001-77.parquet": rows},
			"1 of 2 parts is there: train-00000-of-00002 is missing"},
		{"all", map[string][]byte{"train-00000-of-00002.parquet": rows, "train-00001-of-00002.parquet": rows}, ""},
		{"all from 1", map[string][]byte{"x-1-of-2.parquet": rows, "x-2-of-2.parquet": rows}, ""},
		{"many", map[string][]byte{"x-00-of-40.parquet": rows, "x-02-of-40.parquet": rows},
			"2 of 40 parts are there: x-01-of-40, x-03-of-40, x-04-of-40 and 35 others are missing"},
		{"shards", map[string][]byte{"train-00000-of-00002.zip": archive, "test-00000-of-00001.zip": archive},
			"1 of 2 parts is there: train-00001-of-00002 is missing"},
		{"CIFAR", map[string][]byte{"data_batch_1.bin": batch, "data_batch_2.bin": batch, "data_batch_4.bin": batch, "data_batch_5.bin": batch},
			"4 of 5 parts are there: data_batch_3.bin is missing"},
		{"all of CIFAR", map[string][]byte{"data_batch_1.bin": batch, "data_batch_2.bin": batch, "data_batch_3.bin": batch,
			"data_batch_4.bin": batch, "data_batch_5.bin": batch}, ""},
		{"no claim that can be true", map[string][]byte{"x-1-of-99999999999999999999.parquet": rows}, ""},
	} {
		set := mustOpen(t, write(t, c.files), Options{})
		if notes := fmt.Sprint(set.Notes); c.note == "" && strings.Contains(notes, "missing") || !strings.Contains(notes, c.note) {
			t.Errorf("%s: notes %s, want %q", c.name, notes, c.note)
		}
	}
	named := filepath.Join(write(t, map[string][]byte{"data_batch_1.bin": batch, "data_batch_2.bin": batch}), "data_batch_1.bin")
	if set := mustOpen(t, named, Options{}); strings.Contains(fmt.Sprint(set.Notes), "missing") {
		t.Errorf("a batch that is named: %v", set.Notes)
	}
}

// Python's batches of CIFAR-10 have no ending.
func TestMissingPickles(t *testing.T) {
	data, err := os.ReadFile("array/testdata/batch-4.pickle")
	if err != nil {
		t.Fatal(err)
	}
	set := mustOpen(t, write(t, map[string][]byte{"data_batch_1": data, "data_batch_2": data}), Options{})
	if notes := fmt.Sprint(set.Notes); !strings.Contains(notes, "2 of 5 parts are there: data_batch_3, data_batch_4, data_batch_5 are missing") {
		t.Errorf("notes %s", notes)
	}
}
