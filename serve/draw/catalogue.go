package draw

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/regular"
	"github.com/fmimg/fmimg/models"
	"github.com/fmimg/fmimg/pipeline/model"
)

// runsPrefix begins the names of models that are runs.
const runsPrefix = model.RunsFolder + "/"

// A catalogue knows which models there are. It reads the headers of their files, and reads them
// again when the files have changed. Several goroutines may use it at once.
type catalogue struct {
	runs  string   // the folder of runs; "" for none
	named []string // further models, by their paths

	mu    sync.Mutex
	known map[place]*entry
}

// A version tells the contents of a file from earlier ones.
type version struct {
	changed time.Time
	size    int64
}

// An entry is what the header of a model's file says.
type entry struct {
	place
	version
	outline *model.Checkpoint // without weights
	err     error             // of a file that is not a model
}

// A place is where a model may be.
type place struct {
	name     string
	path     string // as [model.Open] takes it
	embedded bool
	run      bool   // of the folder of runs
	guideOf  string // the embedded model whose guide it is; "" for others
}

// newCatalogue returns the catalogue of a folder of runs and of further models.
func newCatalogue(runs string, named []string) *catalogue {
	return &catalogue{runs: runs, named: named, known: map[place]*entry{}}
}

// places returns where models may be: the named ones, then runs, then those of the program.
func (c *catalogue) places() []place {
	var list []place
	add := func(p place) {
		if !slices.ContainsFunc(list, func(other place) bool { return other.name == p.name }) {
			list = append(list, p)
		}
	}
	for _, name := range c.named {
		path, embedded := model.Resolve(name)
		add(place{name: name, path: path, embedded: embedded})
	}
	for _, run := range c.runNames() {
		add(place{name: runsPrefix + run, path: filepath.Join(c.runs, run), run: true})
	}
	for _, name := range models.Names() {
		add(place{name: name, path: name, embedded: true})
	}
	return list
}

// check reports the first of the named models that cannot be read, as a [*pipeline.OptionError].
func (c *catalogue) check() error {
	for _, name := range c.named {
		if name == "" {
			return option.Errorf("model", option.Quoted(name), "a run folder or a checkpoint file is needed")
		}
		path, embedded := model.Resolve(name)
		p := place{name: name, path: path, embedded: embedded}
		if _, err := p.stat(); err != nil {
			return option.Errorf("model", name, "it cannot be read: %v", regular.Reason(err))
		}
		if e := c.read(p); e.err != nil {
			return option.Errorf("model", name, "%v", e.err)
		}
	}
	return nil
}

// runNames returns the names of the folders of runs.
func (c *catalogue) runNames() []string {
	if c.runs == "" {
		return nil
	}
	entries, err := os.ReadDir(c.runs)
	if err != nil {
		return nil // there is no run yet
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() || e.Type()&fs.ModeSymlink != 0 {
			names = append(names, e.Name())
		}
	}
	return names
}

// list returns the models whose files can be read: the named ones, then runs, of which the newest
// come first, then those of the program.
func (c *catalogue) list() []*entry {
	var list []*entry
	for _, p := range c.places() {
		if e := c.read(p); e.err == nil {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b *entry) int {
		if !a.run || !b.run {
			return 0
		}
		return b.changed.Compare(a.changed)
	})
	return list
}

// find returns the model of a name, which is never taken for a path. The empty name is the first
// model. The error may wrap [ErrNoModel].
func (c *catalogue) find(name string) (*entry, error) {
	if name == "" {
		return c.list()[0], nil // models are part of the program
	}
	for _, p := range c.places() {
		if p.name == name {
			e := c.read(p)
			return e, e.err
		}
	}
	return nil, fmt.Errorf("%q: %w", name, ErrNoModel)
}

// guide returns the guide that the run of a model has kept.
func (c *catalogue) guide(of *entry) (*entry, error) {
	p := place{name: of.name + "'s guide", embedded: of.embedded}
	if of.embedded {
		p.path, p.guideOf = p.name, of.path
	} else {
		p.path = filepath.Join(filepath.Dir(of.file()), model.GuideFile)
	}
	e := c.read(p)
	if errors.Is(e.err, fs.ErrNotExist) || errors.Is(e.err, ErrNoModel) {
		return nil, fmt.Errorf("%s has kept no guide: %w", of.name, ErrNoModel)
	}
	return e, e.err
}

// keptGuide reports whether the run of a model has kept a guide that was trained for less long.
func (c *catalogue) keptGuide(of *entry) bool {
	e, err := c.guide(of)
	return err == nil && of.outline.Outlasts(e.outline)
}

// file returns the path of the file of a model, which may be in a run folder.
func (p place) file() string {
	if info, err := os.Stat(p.path); err == nil && info.IsDir() {
		return filepath.Join(p.path, model.File)
	}
	return p.path
}

// stat returns the version of the file of a model.
func (p place) stat() (version, error) {
	if p.embedded {
		return version{}, nil
	}
	info, err := os.Stat(p.file())
	if err != nil {
		return version{}, err
	}
	return version{info.ModTime(), info.Size()}, nil
}

// open opens the file of a model.
func (p place) open() (fs.File, error) {
	switch {
	case p.guideOf != "":
		return models.OpenGuide(p.guideOf)
	case p.embedded:
		return models.Open(p.path)
	}
	return regular.Open(p.file())
}

// read returns what the header of a file says. It reads the header only of a file that has changed.
func (c *catalogue) read(p place) *entry {
	at, err := p.stat()
	if err != nil {
		return &entry{place: p, err: fmt.Errorf("%q: %w: %w", p.name, ErrNoModel, regular.Reason(err))}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.known[p]; e != nil && e.version == at {
		return e
	}
	e := &entry{place: p, version: at}
	e.outline, e.err = p.outline()
	c.known[p] = e
	return e
}

// outline reads the header of a file.
func (p place) outline() (*model.Checkpoint, error) {
	file, err := p.open()
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", p.name, err)
	}
	defer file.Close()
	ck, err := model.ReadOutline(file, p.name)
	if err == nil {
		ck.Embedded = p.embedded
	}
	return ck, err
}
