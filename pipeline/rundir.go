package pipeline

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/quote"
)

// modelFile is the file of a run folder that a model is loaded from: it holds the averaged weights.
const modelFile = "model.safetensors"

// The other files of a run folder.
const (
	stateFile   = "state.safetensors" // everything to resume
	configFile  = "config.json"
	metricsFile = "metrics.jsonl"
	lossFile    = "loss.png"
	samplesDir  = "samples"
	keptDir     = "checkpoints"
	cardFile    = "README.md"
	lockFile    = ".lock"
	boardPrefix = "events.out.tfevents." // of TensorBoard's event files
)

// runsDir is where runs are put and looked for when no folder is named.
const runsDir = "runs"

// A runDir is a run folder that this process alone may write to.
type runDir struct {
	path    string
	lock    *flock.Flock
	created bool // by this process

	disk func(io.Writer) io.Writer // stands between the run and its files in tests of full disks; nil otherwise
}

// createRun makes and locks a folder for a new run on the named data. An empty path picks the first
// of runs/NAME, runs/NAME-2, … that does not exist; a given folder must not hold a run.
func createRun(path, data string) (*runDir, error) {
	if path == "" {
		return createNumbered(filepath.Join(runsDir, runName(data)))
	}
	err := os.Mkdir(path, 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = os.Mkdir(path, 0o755)
		}
	}
	created := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the run folder: %w", err)
	}
	if !created {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return nil, fmt.Errorf("%s is a file: name a folder with --out", path)
		}
		if err := mustHoldNoFiles(path); err != nil {
			return nil, err
		}
	}
	d, err := lockRun(path)
	if err != nil {
		return nil, err
	}
	d.created = created
	// Settings alone are of a run that ended before it had anything to go on from.
	if d.has(stateFile) || d.has(modelFile) {
		d.close()
		return nil, fmt.Errorf("%s holds a run: continue it with --resume, or name another folder with --out", path)
	}
	return d, nil
}

// mustHoldNoFiles refuses a folder of somebody's files, which a run would write among and over. What a run
// leaves that ended before its first state may be there.
func mustHoldNoFiles(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("look into the run folder: %w", err)
	}
	others := false
	for _, e := range entries {
		switch name := e.Name(); name {
		case stateFile, modelFile:
			return nil // a run, which is another matter
		case lockFile, metricsFile:
		case configFile:
			c, err := readRunConfig(path)
			others = others || err != nil || c.Version == ""
		default:
			others = others || !(leftover(name) || strings.HasPrefix(name, boardPrefix))
		}
	}
	if others {
		return fmt.Errorf("%s is not empty and holds no run: name a new folder with --out", path)
	}
	return nil
}

func createNumbered(base string) (*runDir, error) {
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		return nil, fmt.Errorf("make the run folder: %w", err)
	}
	for i := 1; ; i++ {
		path := base
		if i > 1 {
			path = fmt.Sprintf("%s-%d", base, i)
		}
		switch err := os.Mkdir(path, 0o755); {
		case err == nil:
			d, err := lockRun(path)
			if d != nil {
				d.created = true
			}
			return d, err
		case !errors.Is(err, fs.ErrExist):
			return nil, fmt.Errorf("make the run folder: %w", err)
		}
	}
}

// runName turns the name or path of a data set into the name of a folder.
func runName(data string) string {
	name := strings.TrimSuffix(filepath.Base(filepath.Clean(data)), filepath.Ext(data))
	name = unsafeName.ReplaceAllString(name, "-")
	if name = strings.Trim(name, "-."); name == "" {
		return "run"
	}
	return name
}

var unsafeName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// lockRun takes the folder's lock, which the system releases when the process ends, however it does.
func lockRun(path string) (*runDir, error) {
	d := &runDir{path: path, lock: flock.New(filepath.Join(path, lockFile))}
	ok, err := d.lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("lock the run folder: %w", err)
	case !ok:
		return nil, fmt.Errorf("%s is in use by another fmimg: wait for it, or name another folder with --out", path)
	}
	d.removeLeftovers()
	return d, nil
}

// leftover reports whether a name is that of a file which a killed process had not finished.
func leftover(name string) bool { return unfinished.MatchString(name) }

// unfinished matches the names that package atomicfile gives to files of a run while it writes them.
var unfinished = regexp.MustCompile(`^\.((model|state|step-\d+)\.safetensors|config\.json|metrics\.jsonl|(loss|step-\d+)\.png|README\.md)\d+$`)

// removeLeftovers removes what a process that was killed left half written. The lock keeps others out, and
// what cannot be removed does no harm.
func (d *runDir) removeLeftovers() {
	for _, dir := range []string{"", samplesDir, keptDir} {
		entries, err := os.ReadDir(d.file(dir))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if leftover(e.Name()) {
				os.Remove(filepath.Join(d.file(dir), e.Name()))
			}
		}
	}
}

// close releases the lock. A folder that this process made and never put a state into is removed.
func (d *runDir) close() {
	empty := d.created && !d.has(stateFile)
	_ = d.lock.Unlock() // the process lets go of it in any case
	if empty && mustHoldNoFiles(d.path) == nil {
		os.RemoveAll(d.path)
	}
}

func (d *runDir) file(name string) string { return filepath.Join(d.path, name) }

func (d *runDir) has(name string) bool {
	_, err := os.Stat(d.file(name))
	return err == nil
}

// write replaces a file of the run. All files but the log of metrics are written here.
func (d *runDir) write(name string, fill func(io.Writer) error) error {
	return atomicfile.Write(d.file(name), func(w io.Writer) error {
		if d.disk == nil {
			return fill(w)
		}
		buffered := bufio.NewWriterSize(d.disk(w), 1<<16) // encoders write a few bytes at a time
		return errors.Join(fill(buffered), buffered.Flush())
	})
}

// A Command names what makes a run and goes on with it.
type Command string

// The commands.
const (
	TrainCommand   Command = "train"
	DistillCommand Command = "distill"
)

// runConfig is a run's config.json.
type runConfig struct {
	Version string `json:"fmimg"`
	// Options are those of a training, Distill those of a distillation: one of the two is there.
	Options  json.RawMessage `json:"options,omitempty"`
	Distill  json.RawMessage `json:"distill,omitempty"`
	Data     dataInfo        `json:"data"`
	Steps    int             `json:"steps_done"`
	Images   int             `json:"images_done"`
	Finished bool            `json:"finished"`

	dir string // that it was read from
}

// setOptions puts the options of a command in.
func (c *runConfig) setOptions(by Command, options any) {
	text, err := json.Marshal(options)
	if err != nil {
		panic(err) // plain data: options are validated before they are written
	}
	if by == DistillCommand {
		c.Distill = text
	} else {
		c.Options = text
	}
}

// command returns which command made the run.
func (c *runConfig) command() Command {
	if c.Distill != nil {
		return DistillCommand
	}
	return TrainCommand
}

// decode reads the options of the command that made the run; it is an error to ask for another's.
func (c *runConfig) decode(by Command, options any) error {
	if c.command() != by {
		return otherCommand(c.dir, c.command())
	}
	text := c.Options
	if by == DistillCommand {
		text = c.Distill
	}
	if err := json.Unmarshal(text, options); err != nil {
		return fmt.Errorf("%s: %w: restore it from a copy, or train anew", filepath.Join(c.dir, configFile), err)
	}
	return nil
}

// dataInfo describes the data that a run was trained on.
type dataInfo struct {
	Name    string   `json:"name"`
	Images  int      `json:"images"`
	Height  int      `json:"height"`
	Width   int      `json:"width"`
	Chans   int      `json:"channels"`
	Classes []string `json:"classes,omitempty"`
	Held    int      `json:"held_out,omitempty"` // images for the validation loss
	Digest  string   `json:"digest,omitempty"`   // of the files, see [dataset.Set]
}

func (d *runDir) writeConfig(c runConfig) error {
	return d.write(configFile, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(c)
	})
}

// ReadRunOptions returns the resolved options that a run folder was trained with, Out included.
func ReadRunOptions(dir string) (RunOptions, error) {
	c, err := readRunConfig(dir)
	if err != nil {
		return RunOptions{}, err
	}
	var o struct {
		RunOptions
		Epochs float64 `json:"epochs"`
	}
	if err := c.decode(c.command(), &o); err != nil {
		return RunOptions{}, err
	}
	o.fillDefaults(o.Epochs == 0)
	o.Out = dir
	return o.RunOptions, nil
}

func readRunConfig(dir string) (runConfig, error) {
	var c runConfig
	path := filepath.Join(dir, configFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, noConfig(dir)
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("%s: %w: restore it from a copy, or train anew", path, err)
	}
	if (c.Options == nil) == (c.Distill == nil) {
		return c, fmt.Errorf("%s: it holds no options of a run: restore it from a copy, or train anew", path)
	}
	c.dir = dir
	return c, nil
}

// findRun returns the folder of the run to go on with, the newest for none, and its settings.
func findRun(path string) (string, runConfig, error) {
	if path == "" {
		var err error
		if path, err = newestRun(stateFile); err != nil {
			return "", runConfig{}, err
		}
	}
	c, err := readRunConfig(path)
	return path, c, err
}

// otherCommand says which command goes on with a run.
func otherCommand(path string, command Command) error {
	return fmt.Errorf("%s is a run of fmimg %s: go on with fmimg %s --resume --out %s", path, command, command, quote.Shell(filepath.ToSlash(path)))
}

// noConfig says what a folder without settings holds, and what can be done with it.
func noConfig(dir string) error {
	d := runDir{path: dir}
	switch {
	case d.has(modelFile):
		return fmt.Errorf("%s has no %s: restore it from a copy, or train its model on in another folder by --init %s", dir, configFile, quote.Shell(filepath.ToSlash(dir)))
	case d.has(stateFile):
		return fmt.Errorf("%s has no %s: restore it from a copy, or train anew in another folder", dir, configFile)
	}
	return fmt.Errorf("%s holds no run (it has no %s): start one without --resume", dir, configFile)
}

// numbered returns the names of the files step-NUMBER in a folder of the run, the highest number last.
func (d *runDir) numbered(folder, ending string) ([]string, error) {
	entries, err := os.ReadDir(d.file(folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "step-") && strings.HasSuffix(e.Name(), ending) {
			names = append(names, e.Name())
		}
	}
	// Numbers are padded with zeros, and longer ones are higher.
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	return names, nil
}

// newestRun returns the run folder under runs/ whose file of that name changed last; an error that
// says how to make one when there is none.
func newestRun(file string) (string, error) {
	found, err := filepath.Glob(filepath.Join(runsDir, "*", file))
	if err != nil {
		return "", err
	}
	var newest os.FileInfo
	dir := ""
	for _, path := range found {
		info, err := os.Stat(path)
		if err == nil && (newest == nil || info.ModTime().After(newest.ModTime())) {
			newest, dir = info, filepath.Dir(path)
		}
	}
	if dir == "" {
		return "", fmt.Errorf("no run under %s/: train one with fmimg train --data mnist", runsDir)
	}
	return dir, nil
}
