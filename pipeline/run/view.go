package run

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"github.com/fmimg/fmimg/pipeline/model"
)

// A View reads a run folder while any process may train in it. It takes no lock for longer than a
// look, writes nothing, follows no link, and opens regular files alone.
type View struct {
	Path string // of the folder
	root *os.Root
}

// The largest files that a View reads into memory, in bytes.
const (
	maxConfig = 16 << 20
	maxCard   = 1 << 20
)

// ErrLink is the error for a link where a folder or a file of a run should be.
var ErrLink = errors.New("it is a link, and links are not followed")

// OpenView opens the folder of a name that lies directly in runs. Close closes it.
func OpenView(runs *os.Root, name string) (*View, error) {
	info, err := runs.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, ErrLink
	case !info.IsDir():
		return nil, fs.ErrNotExist
	}
	root, err := runs.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return &View{Path: filepath.Join(runs.Name(), name), root: root}, nil
}

// Close closes the folder.
func (v *View) Close() { _ = v.root.Close() }

// HoldsRun reports whether the folder has any file that only a run has.
func (v *View) HoldsRun() bool {
	for _, name := range []string{ConfigFile, LockFile, StateFile, MetricsFile, model.File} {
		if _, err := v.root.Lstat(name); err == nil {
			return true
		}
	}
	return false
}

// Stat describes a file of the folder. What is not a regular file is an error.
func (v *View) Stat(name string) (fs.FileInfo, error) {
	info, err := v.root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: it is not a regular file", name)
	}
	return info, err
}

// open opens a regular file of the folder.
func (v *View) open(name string) (*os.File, error) {
	if _, err := v.Stat(name); err != nil { // before, as opening a pipe waits
		return nil, err
	}
	return v.root.Open(name)
}

// read reads a file of at most so many bytes.
func (v *View) read(name string, most int64) ([]byte, error) {
	file, err := v.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s: it is larger than %d bytes", name, most)
	}
	return text, err
}

// Config reads config.json.
func (v *View) Config() (Config, error) {
	text, err := v.read(ConfigFile, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, noConfig(v.Path)
	}
	if err != nil {
		return Config{}, err
	}
	return parseConfig(v.Path, text)
}

// Card returns the text of README.md; empty where there is none.
func (v *View) Card() string {
	text, err := v.read(CardFile, maxCard)
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(string(text), "\uFFFD")
}

// Locked reports whether a process, this one included, trains in the folder. Where the file system
// has no locks it is false.
func (v *View) Locked() bool {
	if _, err := v.Stat(LockFile); err != nil {
		return false
	}
	// A shared lock does not disturb others that look.
	l := flock.New(filepath.Join(v.Path, LockFile), flock.SetFlag(os.O_RDONLY))
	free, err := l.TryRLock()
	_ = l.Close()
	return err == nil && !free
}

// TryLock locks the folder, as a training does. ok is false where a process trains in it. A folder
// without a lock file, and one on a file system without locks, cannot be in use by its lock.
func (v *View) TryLock() (unlock func(), ok bool) {
	if _, err := v.Stat(LockFile); err != nil {
		return func() {}, true
	}
	l := flock.New(filepath.Join(v.Path, LockFile), flock.SetFlag(os.O_RDWR))
	free, err := tryLock(l)
	return func() { _ = l.Close() }, free || err != nil && lacksLocks(err)
}

// Previews returns the steps of the previews, in their order.
func (v *View) Previews() []int {
	info, err := v.root.Lstat(SamplesDir)
	if err != nil || !info.IsDir() {
		return nil
	}
	folder, err := v.root.Open(SamplesDir)
	if err != nil {
		return nil
	}
	defer folder.Close()
	entries, _ := folder.ReadDir(-1) // what could be read counts
	var steps []int
	for _, e := range entries {
		if step, ok := previewStep(e.Name()); ok && e.Type().IsRegular() {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	return steps
}

// previewFile returns the path of the preview of a step inside the folder.
func previewFile(step int) string { return fmt.Sprintf("%s/step-%06d.png", SamplesDir, step) }

// previewStep returns the step of a preview by its name.
func previewStep(name string) (step int, ok bool) {
	digits := strings.TrimSuffix(strings.TrimPrefix(name, "step-"), ".png")
	step, err := strconv.Atoi(digits)
	return step, err == nil && step >= 0 && name == path.Base(previewFile(step))
}

// OpenPreview opens the PNG of the preview of a step.
func (v *View) OpenPreview(step int) (*os.File, error) {
	if info, err := v.root.Lstat(SamplesDir); err != nil || !info.IsDir() {
		return nil, cmp.Or(err, fs.ErrNotExist)
	}
	return v.open(previewFile(step))
}

// Tail returns the metrics of the last lines, of which it reads so many bytes. A line that is not
// whole is left out.
func (v *View) Tail(bytes int64) ([]Metric, error) {
	file, err := v.open(MetricsFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	from := max(size-bytes, 0)
	text := make([]byte, size-from)
	n, err := file.ReadAt(text, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return tailMetrics(text[:n], from > 0), nil
}
