package main

import (
	"context"

	"github.com/fmimg/fmimg/pipeline"
)

// watchAddr is the usual address of the page of a training.
const watchAddr = "127.0.0.1:0"

// A watchedPage cannot be where a program listens nowhere.
type watchedPage struct{}

func (*app) openPage(context.Context, string, string, func()) (*watchedPage, error) {
	return nil, usagef("--watch: the build for js/wasm cannot listen: take one for this machine's system")
}

func (*watchedPage) events(show func(pipeline.Event)) func(pipeline.Event) { return show }

func (*watchedPage) wasStopped() bool { return false }

func (*watchedPage) close() {}
