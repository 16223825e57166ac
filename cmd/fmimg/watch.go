//go:build !js

package main

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"sync/atomic"

	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/serve"
)

// watchAddr is the usual address of the page of a training: each has a port of its own.
const watchAddr = "127.0.0.1:0"

// A watchedPage is the server of a page that shows the training of this command. A nil one shows
// nothing: its methods may be called.
type watchedPage struct {
	url      string
	training *serve.Training
	stopped  atomic.Bool // somebody stopped the training on the page
	end      func()      // ends the server
	ended    chan error
}

// openPage serves a page for the run in a folder, or in a new one. stop asks the training to end.
func (a *app) openPage(ctx context.Context, out, addr string, stop func()) (*watchedPage, error) {
	runs := serve.DefaultRuns
	if out != "" {
		runs = filepath.Dir(filepath.Clean(out))
	}
	ctx, end := context.WithCancel(ctx)
	p := &watchedPage{end: end, ended: make(chan error, 1)}
	p.training = serve.NewTraining(func() { p.stopped.Store(true); stop() })
	found := make(chan string, 1)
	o := serve.Options{
		Addr: addr, Runs: runs, Training: p.training, Command: commandBy(pipeline.Arithmetic{}), Words: flags{},
		OnEvent: func(e pipeline.Event) {
			if e.Kind == pipeline.Started {
				found <- e.Path
			}
		},
	}
	go func() { p.ended <- serve.Serve(ctx, o) }()
	select {
	case p.url = <-found:
		return p, nil
	case err := <-p.ended:
		end()
		return nil, ofWatchAddr(err)
	}
}

// ofWatchAddr returns an error about the address of the server as that of this command's flag.
func ofWatchAddr(err error) error {
	wrong, ok := errors.AsType[*pipeline.OptionError](err)
	if !ok || wrong.Option != "addr" {
		return cmp.Or(err, errors.New("the page ended before the training"))
	}
	return option.Errorf("watch-addr", wrong.Value, "%v", wrong.Reason).
		Cured("leave it out for a free port of this machine alone")
}

// events returns what takes the events of the training: show, and the page. A note says where the
// page is.
func (p *watchedPage) events(show func(pipeline.Event)) func(pipeline.Event) {
	if p == nil {
		return show
	}
	return func(e pipeline.Event) {
		show(e)
		p.training.Event(e)
		if e.Kind == pipeline.Started {
			run := url.Values{"run": {filepath.Base(e.Path)}}
			show(pipeline.Note("watch it at %s#runs?%s: the page ends with the training", p.url, run.Encode()))
		}
	}
}

// wasStopped reports whether somebody stopped the training on the page.
func (p *watchedPage) wasStopped() bool { return p != nil && p.stopped.Load() }

// close shows the end of the training to those that watch, and ends the server.
func (p *watchedPage) close() {
	p.training.End()
	p.end()
	<-p.ended //nolint:errcheck // the training has its own end to tell of
}
