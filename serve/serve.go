package serve

import (
	"context"
	"net"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/serve/api"
	"github.com/fmimg/fmimg/serve/draw"
	"github.com/fmimg/fmimg/serve/guard"
	"github.com/fmimg/fmimg/serve/page"
	"github.com/fmimg/fmimg/serve/runs"
)

// Options say where a server listens, who may come in, and what it serves. The zero value of each
// option is its default.
type Options struct {
	// Addr is the address to listen on, host:port; empty: [DefaultAddr]. Port 0 takes a free one.
	// An address that other machines reach needs a TokenFile.
	Addr string
	// Hosts are further names by which clients may call the server, such as that of a proxy.
	Hosts []string
	// TokenFile is a file whose text clients must know; empty: none.
	TokenFile string

	// Runs is the folder of runs, whose models can be drawn from; empty: runs. It need not exist.
	Runs string
	// Data is a folder whose entries can be trained on; empty: none, known data sets alone.
	Data string
	// Models are further models, as [model.Open] takes them.
	Models []string
	// Memory is how many bytes the models that are loaded may take; 0: 1 GiB.
	Memory int64
	// Waiting is how many images may be under way or wait; 0: 4096.
	Waiting int
	pipeline.Compute

	// Training is one that the program does beside the server, which shows it; nil: none.
	Training *Training

	// Command returns the command line that makes the images of a request by a model; nil: none.
	Command func(draw.Request, draw.Model) string
	// Words name commands and options in the files of runs; nil: they go by their names.
	Words pipeline.Words
	// OnEvent is told where the server listens, and what a person should know; may be nil.
	OnEvent func(pipeline.Event)
}

// A Training is one that the program does beside the server.
type Training = runs.Joined

// NewTraining returns a training for the option Training. stop asks it to end, saved.
func NewTraining(stop func()) *Training { return runs.NewJoined(stop) }

// DefaultAddr is where a server listens unless it is told otherwise: on this machine alone.
const DefaultAddr = "127.0.0.1:8080"

// DefaultRuns is the folder of runs unless another is named.
const DefaultRuns = "runs"

// WithDefaults fills in the defaults.
func (o Options) WithDefaults() Options {
	usual := draw.Options{}.WithDefaults()
	option.SetDefault(&o.Memory, usual.Memory)
	option.SetDefault(&o.Waiting, usual.Waiting)
	o.Compute = o.Compute.WithDefaults()
	option.SetDefault(&o.Addr, DefaultAddr)
	option.SetDefault(&o.Runs, DefaultRuns)
	return o
}

// Serve listens and serves until ctx ends, or returns what is in its way: a mistake in the options
// is an [*pipeline.OptionError]. An event of kind [pipeline.Started] says as Path the address of
// the page. When ctx ends, Serve stops accepting, finishes what is being drawn, saves the training
// under way, and returns within 10 s.
func Serve(ctx context.Context, o Options) error {
	o = o.WithDefaults()
	token := ""
	if o.TokenFile != "" {
		var err error
		if token, err = guard.ReadToken(o.TokenFile); err != nil {
			return err
		}
	}
	if err := option.First(checkForm(o.Addr), guard.CheckAddr(o.Addr, token)); err != nil {
		return err
	}
	l, err := listen(o.Addr)
	if err != nil {
		return err
	}
	defer l.Close()
	// A name may lead anywhere: what counts is where it led.
	if err := guard.CheckAddr(l.Addr().String(), token); err != nil {
		return err
	}
	s, err := o.build(token)
	if err != nil {
		return err
	}
	if o.OnEvent != nil {
		o.OnEvent(pipeline.Event{Kind: pipeline.Started, Path: pageURL(o.Addr, l.Addr()), Text: "the page"})
	}
	return s.run(ctx, l)
}

// build makes the server of its rooms.
func (o *Options) build(token string) (*server, error) {
	front, err := guard.New(guard.Options{Addr: o.Addr, Hosts: o.Hosts, Token: token})
	if err != nil {
		return nil, err
	}
	trainings, err := runs.New(runs.Options{
		Runs: o.Runs, Data: o.Data, Compute: o.Compute, Words: o.Words, Joined: o.Training,
	})
	if err != nil {
		return nil, err
	}
	drawer, err := draw.New(draw.Options{Runs: o.Runs, Models: o.Models, Memory: o.Memory, Waiting: o.Waiting, Compute: o.Compute})
	if err != nil {
		return nil, err
	}
	return &server{
		guard: front, api: api.New(drawer, api.Options{Command: o.Command}), rooms: []room{trainings},
		page: page.Handler(), draw: drawer.Close,
	}, nil
}

// pageURL returns the address of the page: by the name that was asked for, and the port that was
// found.
func pageURL(asked string, found net.Addr) string {
	host, _, _ := net.SplitHostPort(asked)
	_, port, _ := net.SplitHostPort(found.String())
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}
