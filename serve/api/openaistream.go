package api

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/fmimg/fmimg/pipeline/picture"
	"github.com/fmimg/fmimg/serve/draw"
	"github.com/fmimg/fmimg/serve/problem"
)

// A streamedJSON is an event of a stream of images.
type streamedJSON struct {
	Type         string     `json:"type"`
	Text         string     `json:"b64_json"`
	Partial      *int       `json:"partial_image_index,omitempty"`
	Image        int        `json:"image_index"` // OpenAI has one image in a stream; here may be n
	CreatedAt    int64      `json:"created_at"`
	Size         string     `json:"size"`
	Quality      string     `json:"quality"`
	Background   string     `json:"background"`
	OutputFormat string     `json:"output_format"`
	Usage        *usageJSON `json:"usage,omitempty"`
	Model        string     `json:"model"`
	Seed         uint64     `json:"seed"`
}

// A usageJSON counts tokens, of which there are none.
type usageJSON struct {
	Input   int `json:"input_tokens"`
	Output  int `json:"output_tokens"`
	Total   int `json:"total_tokens"`
	Details struct {
		Text  int `json:"text_tokens"`
		Image int `json:"image_tokens"`
	} `json:"input_tokens_details"`
}

// maxPartial is how many numbers the states of a stream may have that wait for a slow client.
const maxPartial = 1 << 25

// A mailbox holds states that wait to be sent. Putting one in never waits.
type mailbox struct {
	mu     sync.Mutex
	states []draw.State
	ready  chan struct{} // holds one token when there are states
}

func newMailbox() *mailbox { return &mailbox{ready: make(chan struct{}, 1)} }

// put adds a copy of a state.
func (m *mailbox) put(s draw.State) {
	s.X = slices.Clone(s.X)
	m.mu.Lock()
	m.states = append(m.states, s)
	m.mu.Unlock()
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

// take returns all states.
func (m *mailbox) take() []draw.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.states
	m.states = nil
	return all
}

// partialIndex returns which of n partial images a state of a way is; -1: none. They are spread
// evenly between noise and image. A way of few steps has fewer.
func partialIndex(n int, s draw.State) int {
	n = min(n, s.Steps)
	if s.Step >= s.Steps || n == 0 {
		return -1
	}
	for k := 1; k <= n; k++ {
		if k*s.Steps/(n+1) == s.Step {
			return k - 1
		}
	}
	return -1
}

// An answer is what a drawer returned.
type answer struct {
	result *draw.Result
	err    error
}

// stream draws what is asked for, and sends states on the way and images as events. The client
// that goes away ends ctx.
func (a *API) stream(ctx context.Context, w http.ResponseWriter, o *order) {
	if total := o.Sample.Count * o.partials; total > 0 && o.model.Shape.Len() > maxPartial/total {
		problem.Send(w, invalid("partial_images", "partial_images %d: so many states are too large to wait for a slow client: "+
			"take fewer, or fewer images", o.partials))
		return
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	box, done := newMailbox(), make(chan answer, 1)
	if o.partials > 0 {
		o.Watch = func(s draw.State) {
			// A state of another length is that of a file which has replaced the model's.
			if partialIndex(o.partials, s) >= 0 && len(s.X) == o.model.Shape.Len() {
				box.put(s)
			}
		}
	}
	go func() {
		result, err := a.do(ctx, o.Request)
		done <- answer{result, err}
	}()
	s := &imageStream{eventStream: newEventStream(w), order: o, ctx: ctx, press: a.press}
	got, err := a.follow(s, box, done)
	if err != nil {
		stop()
		<-done // the request is over when nothing is drawn for it any more
		return
	}
	if got.err != nil {
		s.fail(got.err)
		return
	}
	if s.partials(box.take()) == nil {
		s.completed(got.result)
	}
}

// follow sends states until the drawer has returned. Its error says that the client is gone.
func (a *API) follow(s *imageStream, box *mailbox, done <-chan answer) (answer, error) {
	beat := time.NewTicker(a.opt.Heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case got := <-done:
			return got, nil
		case <-box.ready:
			err = s.partials(box.take())
		case <-beat.C:
			err = s.comment("drawing")
		}
		if err != nil {
			return answer{}, err
		}
	}
}

// An imageStream sends images as OpenAI's events.
type imageStream struct {
	*eventStream
	order *order
	ctx   context.Context // of the request
	press *press
}

// image sends an image.
func (s *imageStream) image(kind string, images *picture.Images, i, index int, add func(*streamedJSON)) error {
	o := s.order
	file, err := s.press.encode(s.ctx, o.format, images, i, nil)
	if err != nil {
		return err
	}
	e := streamedJSON{
		Type: o.event + "." + kind, Text: text64(file), Image: index, CreatedAt: time.Now().Unix(), Size: o.size(),
		Quality: "auto", Background: o.background(), OutputFormat: o.format.name, Model: o.Model, Seed: o.Sample.Seed,
	}
	add(&e)
	return s.send(0, e.Type, e)
}

// partials sends states.
func (s *imageStream) partials(states []draw.State) error {
	for _, state := range states {
		index := partialIndex(s.order.partials, state)
		x := single(s.order.model.Shape, state.X)
		if err := s.image("partial_image", x, 0, state.Image, func(e *streamedJSON) { e.Partial = &index }); err != nil {
			return err
		}
	}
	return nil
}

// completed sends the images.
func (s *imageStream) completed(r *draw.Result) {
	for i := range r.Images.Len() {
		if s.image("completed", r.Images, i, i, func(e *streamedJSON) { e.Usage = &usageJSON{} }) != nil {
			return
		}
	}
}

// fail sends an error: as a response of its own where nothing was sent yet, else as an event.
func (s *imageStream) fail(err error) {
	p := problem.Of(promptError(err))
	if !s.began {
		p.Send(s.w)
		return
	}
	_ = s.send(0, "error", map[string]any{"error": p.Fields()}) // nobody is left to tell
}
