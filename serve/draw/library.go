package draw

import (
	"context"
	"sync"

	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
)

// A library has the models that are in memory, within a bound. Of those that nobody uses, it lets
// go the ones whose last use is the longest ago. Several goroutines may use it at once.
type library struct {
	bound   int64
	compute pipeline.Compute // its arithmetic is settled

	mu    sync.Mutex
	all   map[edition]*loaded
	clock int64          // counts uses
	loads int64          // counts models that were loaded
	busy  sync.WaitGroup // models that are being loaded
}

// An edition is a version of the file of a model, in a precision.
type edition struct {
	path string
	version
	precision string // in which it computes
}

// A loaded model is in memory, or on its way there. A request that uses it calls close at last.
type loaded struct {
	library *library
	edition edition
	ready   chan struct{} // closed when what follows is set
	ck      *model.Checkpoint
	net     *network
	err     error

	// While these change, the library is locked.
	users int
	used  int64 // the clock at the last use
	bytes int64 // 0 while it is being loaded
	stale bool  // its file has changed since
}

// newLibrary returns a library for models of together so many bytes.
func newLibrary(bound int64, on pipeline.Compute) (*library, error) {
	_, _, err := on.Settle()
	return &library{bound: bound, compute: on, all: map[edition]*loaded{}}, err
}

// exact is the precision of likelihoods, and the only one of normalizing flows.
var exact = kernels.F32.String()

// edition returns the edition of a model that computes as the library does, or in float32.
func (l *library) edition(e *entry, inF32 bool) edition {
	precision := l.compute.Precision
	if _, ok := e.outline.Network.(*model.NormalizingFlow); ok || inF32 {
		precision = exact
	}
	return edition{e.path, e.version, precision}
}

// open returns a model that is in memory. It loads one that is not, once for all who ask. When ctx
// ends, it does not wait for that.
func (l *library) open(ctx context.Context, e *entry, inF32 bool) (*loaded, error) {
	at := l.edition(e, inF32)
	l.mu.Lock()
	m := l.all[at]
	if m == nil {
		m = &loaded{library: l, edition: at, ready: make(chan struct{})}
		l.all[at] = m
		m.users++ // the loading itself
		l.busy.Go(func() { m.load(e) })
	}
	m.users++
	l.mu.Unlock()
	select {
	case <-m.ready:
	case <-ctx.Done():
		m.close()
		return nil, ctx.Err()
	}
	if m.err != nil {
		m.close()
		return nil, m.err
	}
	return m, nil
}

// load reads the file of a model. A model that cannot be read is tried again by the next request.
func (m *loaded) load(e *entry) {
	defer m.close()
	defer close(m.ready)
	m.err = m.read(e)
	l := m.library
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.err != nil {
		delete(l.all, m.edition)
		return
	}
	m.bytes = memoryOf(m.ck, l.compute.Threads)
	l.loads++
	for at, other := range l.all {
		if at.path == m.edition.path && at.version != m.edition.version {
			other.stale = true
			other.drop()
		}
	}
}

// read reads the file of a model.
func (m *loaded) read(e *entry) (err error) {
	defer catch(&err)
	file, err := e.open()
	if err != nil {
		return err
	}
	defer file.Close()
	on := m.library.compute.Arithmetic
	on.Precision = m.edition.precision
	if m.ck, err = model.Read(file, on); err != nil {
		return err
	}
	m.ck.Path, m.ck.Embedded = e.name, e.embedded
	m.net = newNetwork(m.ck)
	return nil
}

// close ends a use of the model.
func (m *loaded) close() {
	l := m.library
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock++
	m.users, m.used = m.users-1, l.clock
	m.drop()
	l.shrink()
}

// drop lets go of a model whose file has changed and that nobody uses. The library is locked.
func (m *loaded) drop() {
	if m.stale && m.users == 0 {
		delete(m.library.all, m.edition)
	}
}

// shrink lets go of models while all of them take more than the bound. The one that was used last
// stays. The library is locked.
func (l *library) shrink() {
	for l.bytes() > l.bound {
		var oldest *loaded
		for _, m := range l.all {
			if m.users == 0 && m.used < l.clock && (oldest == nil || m.used < oldest.used) {
				oldest = m
			}
		}
		if oldest == nil {
			return
		}
		delete(l.all, oldest.edition)
	}
}

// bytes returns the memory of all models. The library is locked.
func (l *library) bytes() int64 {
	var sum int64
	for _, m := range l.all {
		sum += m.bytes
	}
	return sum
}

// has reports whether a model is in memory, and then its hash.
func (l *library) has(e *entry) (hash string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, inF32 := range []bool{false, true} {
		if m := l.all[l.edition(e, inF32)]; m != nil && m.bytes > 0 {
			return m.ck.Hash, true
		}
	}
	return "", false
}

// count fills in what the statistics say of models.
func (l *library) count(s *Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.all {
		if m.bytes > 0 {
			s.Loaded++
		}
	}
	s.Bytes, s.Loads = l.bytes(), l.loads
}

// The memory of a model, in numbers of 4 bytes, measured on the presets. A parameter takes
// weightsKept in itself and in the forms that kernels read.
const weightsKept = 9

// memoryOf returns about how many bytes a model takes, with the activations of some workers.
func memoryOf(ck *model.Checkpoint, workers int) int64 {
	var shapes []kernels.ConvShape
	switch net := ck.Network.(type) {
	case *model.UNet:
		shapes = net.Config().Convs()
	case *model.NormalizingFlow:
		shapes = net.Config().Convs()
	}
	image := 0
	for _, s := range shapes {
		image += s.H * s.W * s.OC
	}
	return 4 * int64(weightsKept*ck.Params().Len()+workers*batchRows*image)
}
