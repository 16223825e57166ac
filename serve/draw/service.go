package draw

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline/sample"
)

// The defaults of options.
const (
	defaultMemory  = 1 << 30
	defaultWaiting = 4096
)

// underWay is how many images are under way for each row that the workers take at once. The rows of
// one half wait while those of the other are evaluated. spareUnderWay are as many requests beside
// them that have an image under way, however long those of others take.
const (
	underWay      = 2
	spareUnderWay = 64
)

// maxNumbers bounds the numbers of all images that wait or are under way: 256 MiB.
const maxNumbers = 1 << 26

// WithDefaults fills in the defaults.
func (o Options) WithDefaults() Options {
	option.SetDefault(&o.Memory, defaultMemory)
	option.SetDefault(&o.Waiting, defaultWaiting)
	o.Compute = o.Compute.WithDefaults()
	return o
}

// Validate reports the first option that cannot be used, as a [*pipeline.OptionError].
func (o Options) Validate() error {
	o = o.WithDefaults()
	if o.Memory < 0 {
		return option.Errorf("memory", o.Memory, "a number of bytes above 0 is needed")
	}
	return option.First(option.Between("waiting", o.Waiting, 1, sample.MaxCount), o.Compute.Validate())
}

// A Service is a [Drawer]. Several goroutines may use it at once. Close ends it.
type Service struct {
	opt       Options
	catalogue *catalogue
	library   *library
	evaluator *evaluator
	turns     turns         // to begin an image that is drawn
	gauging   turns         // to begin one whose likelihood is found, in memory of its own
	reading   chan struct{} // holds one while a picture is decoded, which may take much memory

	// base ends all requests, with ErrClosing.
	base context.Context
	end  context.CancelCauseFunc

	mu      sync.Mutex
	closing bool
	load    load // of all requests
	drawn   int64
	pace    pace
	under   sync.WaitGroup // the requests
}

// A load is what a request adds to what is under way or waits.
type load struct{ images, numbers int64 }

// New starts a service, whose workers wait for requests. A mistake in the options is a
// [*pipeline.OptionError]. Models are loaded when they are asked for.
func New(o Options) (*Service, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.WithDefaults()
	models, err := newLibrary(o.Memory, o.Compute)
	if err != nil {
		return nil, err
	}
	known := newCatalogue(o.Runs, o.Models)
	if err := known.check(); err != nil {
		return nil, err
	}
	s := &Service{
		opt: o, catalogue: known, library: models, evaluator: newEvaluator(o.Threads),
		reading: make(chan struct{}, 1),
	}
	s.turns.bound, s.turns.spare = underWay*batchRows*o.Threads, spareUnderWay
	s.gauging.bound, s.gauging.spare = underWay*o.Threads, o.Threads
	s.base, s.end = context.WithCancelCause(context.Background())
	return s, nil
}

// Close refuses new requests with [ErrClosing] and waits for those under way. When ctx ends first,
// they end with [ErrClosing], and Close returns ctx.Err().
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	again := s.closing
	s.closing = true
	s.mu.Unlock()
	if again {
		return nil
	}
	ended := make(chan struct{})
	go func() { s.under.Wait(); close(ended) }()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.end(ErrClosing)
	<-ended
	s.library.busy.Wait()
	s.evaluator.close()
	return err
}

// Do implements [Drawer]. The error may be a [*BusyError], [ErrClosing], a [*PanicError], or wrap
// [ErrNoModel].
func (s *Service) Do(ctx context.Context, r Request) (*Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	option.SetDefault(&r.Kind, Generate)
	e, err := s.catalogue.find(r.Model)
	if err != nil {
		return nil, err
	}
	j := &job{service: s, entry: e, request: r, watch: watcher{began: r.Began, show: r.Watch}}
	if err := j.measure(); err != nil {
		return nil, err
	}
	if err := s.admit(j.load); err != nil {
		return nil, err
	}
	j.ctx, j.fail = context.WithCancelCause(ctx)
	j.evaluator = s.evaluator
	done := make(chan error, 1)
	var result *Result
	go func() {
		defer s.leave(j)
		var err error
		result, err = j.run()
		done <- err
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.base.Done():
		err = ErrClosing
	}
	if ended := ctx.Err(); err != nil && ended != nil {
		err = ended
	}
	j.fail(err) // ends what is left of it
	j.watch.close()
	if err != nil {
		return nil, err
	}
	return result, nil
}

// admit counts a request as under way, unless there is no room for its images.
func (s *Service) admit(l load) error {
	bound := int64(s.opt.Waiting)
	if l.images > bound || l.numbers > maxNumbers {
		return option.Errorf("count", l.images, "so many images are too many for one request: at most %d of this size",
			min(bound, maxNumbers/(l.numbers/l.images)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return ErrClosing
	}
	images, numbers := s.load.images+l.images-bound, s.load.numbers+l.numbers-maxNumbers
	if images > 0 || numbers > 0 {
		over := max(images, (numbers*l.images+l.numbers-1)/l.numbers)
		return &BusyError{RetryAfter: s.pace.of(int(over), s.opt.Threads)}
	}
	s.load.images += l.images
	s.load.numbers += l.numbers
	s.under.Add(1)
	return nil
}

// finished counts images of a request that are drawn.
func (s *Service) finished(j *job, images int) {
	busy := s.evaluator.done().busy
	s.mu.Lock()
	defer s.mu.Unlock()
	done := load{int64(images), j.load.numbers / j.load.images * int64(images)}
	j.load = j.load.less(done)
	s.load = s.load.less(done)
	s.drawn += int64(images)
	s.pace.add(images, busy)
}

// less returns a load without a part of it.
func (l load) less(part load) load { return load{l.images - part.images, l.numbers - part.numbers} }

// leave counts a request as ended.
func (s *Service) leave(j *job) {
	s.mu.Lock()
	s.load = s.load.less(j.load)
	s.mu.Unlock()
	s.under.Done()
}

// Stats implements [Drawer].
func (s *Service) Stats() Stats {
	did := s.evaluator.done()
	s.mu.Lock()
	stats := Stats{Waiting: int(s.load.images), Images: s.drawn, Evaluations: did.rows, Busy: did.busy}
	s.mu.Unlock()
	s.library.count(&stats)
	return stats
}

// A pace says how long the workers take for an image. Recent images count more.
type pace struct {
	images float64
	busy   time.Duration // that they took
	until  time.Duration // what the workers had spent at the last image
}

// paceImages is the number of images of which a pace remembers half.
const paceImages = 256

// add adds images after which the workers have spent some time since they began.
func (p *pace) add(images int, busy time.Duration) {
	if p.images > paceImages {
		p.images, p.busy = p.images/2, p.busy/2
	}
	p.images += float64(images)
	p.busy += busy - p.until
	p.until = busy
}

// of returns how long the workers take for images, at least a second.
func (p *pace) of(images, workers int) time.Duration {
	each := time.Duration(float64(p.busy) / max(p.images, 1))
	return max(time.Second, time.Duration(images)*each/time.Duration(workers))
}

// A watcher shows states until it is closed, one at a time, and before them that the first image
// begins.
type watcher struct {
	mu    sync.Mutex
	began func()
	show  func(State)
}

// begin says once that the first image begins.
func (w *watcher) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began != nil {
		w.began()
		w.began = nil
	}
}

// state shows a state, unless nobody watches any more.
func (w *watcher) state(s State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.show != nil {
		w.show(s)
	}
}

// close ends the watching.
func (w *watcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began, w.show = nil, nil
}

// cause returns the error that ended a context, in the words of Do.
func cause(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ctx.Err()
	}
	return err
}
