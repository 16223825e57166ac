package run

import (
	"bufio"
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

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/atomicfile"
	"github.com/fmimg/fmimg/internal/filekind"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
)

// The files and folders of a run folder, beside [model.File].
const (
	StateFile   = "state.safetensors" // everything to resume
	ConfigFile  = "config.json"
	MetricsFile = "metrics.jsonl"
	LossFile    = "loss.png"
	SamplesDir  = "samples"
	KeptDir     = "checkpoints"
	CardFile    = "README.md"
	LockFile    = ".lock"
	boardPrefix = "events.out.tfevents." // of TensorBoard's event files
)

// A Folder is a run folder that this process alone may write to, where the file system has locks.
type Folder struct {
	Path    string
	lock    locker
	note    *pipeline.Event // that the folder cannot be locked; nil where it is
	created bool            // by this process

	disk func(io.Writer) io.Writer // see Disk of [Options]
}

// createFolder makes and locks a folder for a new run. A given folder may exist, but must not hold
// a run or other files. For the empty path, createFolder makes the first of runs/NAME, runs/NAME-2,
// … that does not exist. NAME comes from data, the name or path of a data set.
func createFolder(path, data string) (*Folder, error) {
	if path == "" {
		return createNumbered(filepath.Join(model.RunsFolder, FolderName(data)))
	}
	if regular.CheckURL(path) != nil {
		return nil, option.Errorf("out", path, "nothing is sent to the web: name a folder on this machine")
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
			return nil, option.Faultf("%s is a file", path).Cured("name a folder with %v", out)
		}
		if err := mustHoldNoFiles(path); err != nil {
			return nil, err
		}
	}
	d, err := lockFolder(path)
	if err != nil {
		return nil, err
	}
	d.created = created
	// A folder with settings alone is from a run that ended before its first state.
	if d.has(StateFile) || d.has(model.File) {
		d.close()
		return nil, option.Faultf("%s holds a run", path).
			Cured("continue it with %v, or name another folder with %v", resume, out)
	}
	return d, nil
}

// mustHoldNoFiles refuses a folder with files that are not of a run: the run would write among and
// over them. The folder may hold files of a run that ended before its first state.
func mustHoldNoFiles(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("look into the run folder: %w", err)
	}
	others := false
	for _, e := range entries {
		switch name := e.Name(); name {
		case StateFile, model.File:
			return nil // a run: Create looks for it under the lock
		case LockFile, MetricsFile, ContentsFile:
		case ConfigFile:
			c, err := ReadConfig(path)
			others = others || err != nil || c.Version == ""
		default:
			others = others || !(leftover(name) || strings.HasPrefix(name, boardPrefix))
		}
	}
	if others {
		return option.Faultf("%s is not empty and holds no run", path).Cured("name a new folder with %v", out)
	}
	return nil
}

// createNumbered makes and locks the first of the folders base, base-2, … that does not exist.
func createNumbered(base string) (*Folder, error) {
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
			d, err := lockFolder(path)
			if d != nil {
				d.created = true
			}
			return d, err
		case !errors.Is(err, fs.ErrExist):
			return nil, fmt.Errorf("make the run folder: %w", err)
		}
	}
}

// FolderName returns the name of a new run folder for the name or path of a data set.
func FolderName(data string) string {
	name := strings.TrimSuffix(filepath.Base(filepath.Clean(data)), filepath.Ext(data))
	name = unsafeName.ReplaceAllString(name, "-")
	if name = strings.Trim(name, "-."); name == "" {
		return "run"
	}
	return name
}

var unsafeName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// leftover reports whether a name belongs to a file that a killed process had not finished.
func leftover(name string) bool { return unfinished.MatchString(name) }

// unfinished matches the names that package atomicfile gives to the files of a run while it writes
// them.
var unfinished = regexp.MustCompile(`^\.((model|guide|state|step-\d+)\.safetensors|config\.json|metrics\.jsonl|` +
	`(loss|step-\d+)\.png|README\.md)\d+$`)

// removeLeftovers removes the files that a killed process left half written. The caller has the
// lock. A file that cannot be removed does no harm.
func (d *Folder) removeLeftovers() {
	for _, dir := range []string{"", SamplesDir, KeptDir} {
		entries, err := os.ReadDir(d.File(dir))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if leftover(e.Name()) {
				os.Remove(filepath.Join(d.File(dir), e.Name()))
			}
		}
	}
}

// close releases the lock. It removes a folder that this process made, if it has no state.
func (d *Folder) close() {
	if d.lock == nil {
		return // the folder of another rank
	}
	empty := d.created && !d.has(StateFile)
	_ = d.lock.Unlock() // the end of the process releases it in any case
	if empty && mustHoldNoFiles(d.Path) == nil {
		os.RemoveAll(d.Path)
	}
}

// File returns the path of a file in the folder.
func (d *Folder) File(name string) string { return filepath.Join(d.Path, name) }

// has reports whether the folder has a file.
func (d *Folder) has(name string) bool {
	_, err := os.Stat(d.File(name))
	return err == nil
}

// write replaces a file of the run atomically. All files but the logs are written here.
func (d *Folder) write(name string, fill func(io.Writer) error) error {
	return atomicfile.Write(d.File(name), func(w io.Writer) error {
		if d.disk == nil {
			return fill(w)
		}
		buffered := bufio.NewWriterSize(d.disk(w), 1<<16) // encoders write a few bytes at a time
		return errors.Join(fill(buffered), buffered.Flush())
	})
}

// A Command names the command of fmimg that makes a run and goes on with it.
type Command string

// The commands.
const (
	TrainCommand   Command = "train"
	DistillCommand Command = "distill"
)

// Config is a run's config.json.
type Config struct {
	Version string `json:"fmimg"`
	// One of Options and Distill is there: the options of a training, or of a distillation.
	Options  json.RawMessage `json:"options,omitempty"`
	Distill  json.RawMessage `json:"distill,omitempty"`
	Data     DataInfo        `json:"data"`
	Steps    int             `json:"steps_done"`
	Images   int             `json:"images_done"`
	Finished bool            `json:"finished"`
	// Error is what ended the training, where that was a failure; empty where it was none.
	Error string `json:"error,omitempty"`

	Dir string `json:"-"` // the folder that the file was read from
}

// setOptions sets the options of the command that makes the run.
func (c *Config) setOptions(by Command, options any) {
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

// Command returns the command that made the run, and goes on with it.
func (c *Config) Command() Command {
	if c.Distill != nil {
		return DistillCommand
	}
	return TrainCommand
}

// Decode reads the options of a command. It is an error that another command made the run.
func (c *Config) Decode(by Command, options any) error {
	if c.Command() != by {
		return otherCommand(c.Dir, c.Command())
	}
	text := c.Options
	if by == DistillCommand {
		text = c.Distill
	}
	if err := json.Unmarshal(text, options); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			// The Go fields around it say nothing to a person.
			name := wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:]
			err = fmt.Errorf("%q is of the wrong kind (%s)", name, wrong.Value)
		}
		return fmt.Errorf("%s: %w: restore it from a copy, or train anew", filepath.Join(c.Dir, ConfigFile), err)
	}
	return nil
}

// DataInfo describes the data that a run was trained on.
type DataInfo struct {
	Name     string   `json:"name"`
	Images   int      `json:"images"`
	Height   int      `json:"height"`
	Width    int      `json:"width"`
	Channels int      `json:"channels"`
	Classes  []string `json:"classes,omitempty"`
	Held     int      `json:"held_out,omitempty"` // images for the validation loss
	Digest   string   `json:"digest,omitempty"`   // digest of the files: see dataset.Set

	// Contents are the files, which go into [ContentsFile].
	Contents []dataset.Content `json:"-"`
}

// writeConfig writes config.json.
func (d *Folder) writeConfig(c Config) error {
	return d.write(ConfigFile, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(c)
	})
}

// ReadOptions returns the resolved options that a run folder was trained with, Out included.
func ReadOptions(dir string) (Options, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return Options{}, err
	}
	return c.RunOptions()
}

// RunOptions returns the options that all runs have, resolved, Out included.
func (c *Config) RunOptions() (Options, error) {
	o := WhereSilent()
	if err := c.Decode(c.Command(), &o); err != nil {
		return Options{}, err
	}
	o.FromRecord()
	budget := o.Budget // which may be in epochs, that are no part of these options
	o = o.WithDefaults()
	o.Budget, o.Out = budget, c.Dir
	return o, nil
}

// ReadConfig reads the config.json of a run folder.
func ReadConfig(dir string) (Config, error) {
	var c Config
	path := filepath.Join(dir, ConfigFile)
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return c, notRunFolder(dir)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, noConfig(dir)
	}
	if err != nil {
		return c, err
	}
	return parseConfig(dir, text)
}

// parseConfig reads the text of the config.json of a run folder.
func parseConfig(dir string, text []byte) (Config, error) {
	var c Config
	path := filepath.Join(dir, ConfigFile)
	if err := json.Unmarshal(text, &c); err != nil {
		if what, cure := filekind.Of(text); what != "" && cure != "" {
			return c, fmt.Errorf("%s: %s", path, filekind.Sentence(what, cure))
		}
		return c, fmt.Errorf("%s: %w: restore it from a copy, or train anew", path, err)
	}
	if (c.Options == nil) == (c.Distill == nil) {
		return c, fmt.Errorf("%s: it holds no options of a run: restore it from a copy, or train anew", path)
	}
	c.Dir = dir
	return c, nil
}

// Find returns the folder of a run to resume and its configuration. The empty path is the newest
// run.
func Find(path string) (string, Config, error) {
	if path == "" {
		var err error
		if path, err = model.NewestRun(StateFile); err != nil {
			return "", Config{}, err
		}
	}
	c, err := ReadConfig(path)
	return path, c, err
}

// The options that say where a run is.
var (
	out    = option.Setting{Option: "out"}
	resume = option.Setting{Option: "resume"}
)

// goOn returns the command that goes on with the run in a folder.
func goOn(command Command, dir string) option.Action {
	return option.Action{Command: string(command), Settings: []option.Setting{resume, pathSetting("out", dir)}}
}

// pathSetting gives a path in the form that works on every system.
func pathSetting(name, path string) option.Setting {
	return option.Setting{Option: name, Value: filepath.ToSlash(path)}
}

// otherCommand returns the error of the wrong command for a run.
func otherCommand(path string, command Command) error {
	return option.Faultf("%s is a run of %v", path, option.Action{Command: string(command)}).
		Cured("go on with %v", goOn(command, path))
}

// notRunFolder returns the error of a file where a run folder should be named. It may be a file of
// the run.
func notRunFolder(path string) error {
	wrong := option.Faultf("%s is a file, not a run folder", path)
	if dir := filepath.Dir(path); (&Folder{Path: dir}).has(ConfigFile) {
		return wrong.Cured("name its folder with %v", pathSetting("out", dir))
	}
	return wrong.Cured("name a folder with %v", out)
}

// noConfig returns the error of a folder without config.json: what the folder holds, and what to
// do.
func noConfig(dir string) error {
	d := Folder{Path: dir}
	switch {
	case d.has(model.File):
		return option.Faultf("%s has no %s", dir, ConfigFile).
			Cured("restore it from a copy, or train its model on in another folder by %v", pathSetting("init", dir))
	case d.has(StateFile):
		return fmt.Errorf("%s has no %s: restore it from a copy, or train anew in another folder", dir, ConfigFile)
	}
	return option.Faultf("%s holds no run (it has no %s)", dir, ConfigFile).Cured("start one without %v", resume)
}

// numbered returns the names of the files step-NUMBER with an ending, in a folder of the run. The
// highest number is last.
func (d *Folder) numbered(folder, ending string) ([]string, error) {
	entries, err := os.ReadDir(d.File(folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "step-") && strings.HasSuffix(e.Name(), ending) {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, text.CompareNatural)
	return names, nil
}
