package runs

import (
	"sync"

	"github.com/fmimg/fmimg/pipeline/run"
)

// maxCurves is how many curves are kept. Each takes less than a megabyte.
const maxCurves = 16

// curves keeps those that were asked for last.
type curves struct {
	mu    sync.Mutex
	kept  map[string]*keptCurve
	asked int
}

// A keptCurve is the curve of a run, which one caller at a time reads on.
type keptCurve struct {
	mu       sync.Mutex
	curve    curve
	asked    int
	restarts int
}

func newCurves() *curves { return &curves{kept: map[string]*keptCurve{}} }

// of returns the curve of a run.
func (c *curves) of(name string) *keptCurve {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	k := c.kept[name]
	if k == nil {
		if len(c.kept) >= maxCurves {
			c.dropOldest()
		}
		k = &keptCurve{}
		c.kept[name] = k
	}
	k.asked = c.asked
	return k
}

// dropOldest forgets the curve that was not asked for the longest.
func (c *curves) dropOldest() {
	oldest := ""
	for name, k := range c.kept {
		if oldest == "" || k.asked < c.kept[oldest].asked {
			oldest = name
		}
	}
	delete(c.kept, oldest)
}

// drop forgets the curve of a run.
func (c *curves) drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, name)
}

// since reads what is new in the folder of a run. It returns the points behind a step, at most n of
// each kind, and how often the curve has begun anew.
func (k *keptCurve) since(v *run.View, step, n int) (p Points, restarts int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	restarted, err := k.curve.update(v)
	if restarted {
		k.restarts++
	}
	return k.curve.since(step, n), k.restarts, err
}
