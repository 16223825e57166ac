package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fmimg/fmimg/internal/roomtest"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/run"
)

// A smallDisk counts writes. From a given write on it is full, and takes half the bytes of that
// write.
type smallDisk struct{ writes, full int }

func (d *smallDisk) writer(w io.Writer) io.Writer { return &diskWriter{d, w} }

type diskWriter struct {
	disk *smallDisk
	w    io.Writer
}

func (w *diskWriter) Write(b []byte) (int, error) {
	w.disk.writes++
	if w.disk.full == 0 || w.disk.writes < w.disk.full {
		return w.w.Write(b)
	}
	n, err := w.w.Write(b[:len(b)/2])
	return n, errors.Join(err, syscall.ENOSPC)
}

// onDisk returns a run that writes every kind of file, several times.
func onDisk(t *testing.T, d *smallDisk) Options {
	o := smallRun(t)
	o.Steps, o.SaveEvery, o.PreviewEvery, o.Keep = 3, 1, 2, 1
	o.TensorBoard, o.Disk = true, d.writer
	return o
}

// The disk may be full at any write. Then the run ends with an error that says so, and all files of
// the folder are whole. With space again the run goes on to the same tensors.
func TestFullDiskAtEachWrite(t *testing.T) {
	count := &smallDisk{}
	through := onDisk(t, count)
	mustTrain(t, through)
	if count.writes < 25 {
		t.Fatalf("a run of %d writes: the test sees too few of them", count.writes)
	}
	step := 1
	if testing.Short() {
		step = 7
	}
	for full := 1; full <= count.writes; full += step {
		t.Run(fmt.Sprint(full), func(t *testing.T) {
			o := onDisk(t, &smallDisk{full: full})
			_, err := Train(context.Background(), o)
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("error %v", err)
			}
			saved := checkWhole(t, o.Out)
			if says := strings.Contains(err.Error(), fmt.Sprintf("; the checkpoint of step %d is kept in %s", saved,
				o.Out)); says != (saved > 0) {
				t.Errorf("with the state of step %d in the folder the error is %v", saved, err)
			}
			o.Disk, o.Resume = nil, saved >= 0
			mustTrain(t, o)
			roomtest.SameRun(t, through.Out, o.Out)
			checkWhole(t, o.Out)
		})
	}
}

// checkWhole reads all checkpoints of a folder and returns the step of its state, or -1 when there
// is none. The folder must not hold an unfinished file.
func checkWhole(t *testing.T, dir string) (saved int) {
	t.Helper()
	saved = -1
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		switch {
		case path == dir && errors.Is(err, os.ErrNotExist):
			return filepath.SkipAll // the run ended before it had a state
		case err != nil:
			return err
		case strings.HasPrefix(d.Name(), ".") && d.Name() != run.LockFile:
			t.Errorf("%s is left", path)
		case strings.HasSuffix(path, ".png"):
			decodePNG(t, path)
		case d.Name() == run.StateFile:
			roomtest.Tensors(t, path)
			saved = 0
		case strings.HasSuffix(path, ".safetensors"):
			ck, err := model.Open(path, pipeline.Arithmetic{})
			if err != nil {
				return err
			}
			if d.Name() == model.File {
				saved = max(saved, ck.Meta.Steps)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if saved < 0 {
		return saved
	}
	text, err := os.ReadFile(filepath.Join(dir, run.StateFile))
	if err != nil {
		t.Fatal(err)
	}
	var step int
	at := strings.Index(string(text), `\"step\":`)
	if _, err := fmt.Sscanf(string(text[at:]), `\"step\":%d`, &step); err != nil {
		t.Fatal(err)
	}
	return step
}
