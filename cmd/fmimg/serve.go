//go:build !js

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fmimg/fmimg/internal/quote"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/edit"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/serve"
	"github.com/fmimg/fmimg/serve/draw"
)

const serveHelp = `Serve a page for the browser, and an API for programs, from this one binary.

The page draws images, shows their way from noise, varies and completes them, and shows and starts trainings. The API
is that of OpenAI's images, which their clients call unchanged, and one of its own: docs/serve.md and /openapi.json
describe both. The address stands on stdout. Ctrl-C ends it within ten seconds: what is being drawn is finished, a
training is saved.

Only this machine reaches the server. For another --addr it needs a token, which clients send and people type once:
--token-file names a file that holds it. Models are those of --model, the runs in --runs, mnist, mnist-fast and
emoji, which are part of the program. They are loaded when they are asked for.`

const serveExample = `  fmimg serve                                      the page at http://127.0.0.1:8080/
  fmimg serve --addr 127.0.0.1:0                   at a free port
  fmimg serve --runs runs/ --data pictures/        trainings may take what lies in pictures/
  openssl rand -hex 32 > token && fmimg serve --addr 0.0.0.0:8080 --token-file token   for other machines`

func (a *app) newServe() *cobra.Command {
	var o serve.Options
	usual := serve.Options{}.WithDefaults()
	memory := int(usual.Memory >> 20)
	cmd := &cobra.Command{
		Use: "serve [flags]", Short: "Serve a page for the browser and an API for programs", Long: serveHelp, Example: serveExample,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := positive(cmd, "memory", "waiting", "threads"); err != nil {
				return err
			}
			o.Memory = int64(memory) << 20
			return a.serve(cmd, o)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.Addr, "addr", usual.Addr, "`address` to listen on, host:port; port 0 takes a free one")
	f.StringSliceVar(&o.Models, "model", nil, "further `models` to draw from: run folders or checkpoint files, joined by commas")
	f.StringVar(&o.Runs, "runs", usual.Runs, "`folder` of runs, which are shown and drawn from")
	f.StringVar(&o.Data, "data", "", "`folder` whose entries trainings may take (default known data sets alone)")
	f.StringVar(&o.TokenFile, "token-file", "", "`file` that holds the token which clients must know (default none, for this machine alone)")
	f.StringSliceVar(&o.Hosts, "host", nil, "further `names` by which clients call the server, such as that of a proxy, joined by commas")
	f.IntVar(&memory, "memory", memory, "`megabytes` that loaded models may take")
	f.IntVar(&o.Waiting, "waiting", usual.Waiting, "`number` of images that may be under way or wait; beyond it, clients are told to come again")
	networkFlags(f, &o.Threads, &o.Arithmetic)
	return cmd
}

// serve serves until it is interrupted.
func (a *app) serve(cmd *cobra.Command, o serve.Options) error {
	o.Command, o.Words = commandBy(o.Arithmetic), flags{}
	o.OnEvent = func(e pipeline.Event) {
		switch e.Kind {
		case pipeline.Started:
			fmt.Fprintln(a.stderr, "the page is at this address; Ctrl-C ends the server:")
			fmt.Fprintln(a.stdout, e.Path)
		default:
			fmt.Fprintln(a.stderr, harmless(textOf(e)))
		}
	}
	return serve.Serve(cmd.Context(), o)
}

// commandBy returns [commandOf] for a server that computes in some arithmetic.
func commandBy(on pipeline.Arithmetic) func(draw.Request, draw.Model) string {
	return func(r draw.Request, m draw.Model) string { return commandOf(r, m, on) }
}

// commandOf returns the command line that makes the images of a request: the same pixels as its
// grid. It is empty for likelihoods. A picture that came with the request stands as input.png.
func commandOf(r draw.Request, m draw.Model, on pipeline.Arithmetic) string {
	switch r.Kind {
	case draw.Generate:
		c := commandLine{"fmimg", "generate"}
		c.add("model", m.Path)
		c.count(r.Sample.Count, 0)
		c.classes(r)
		c.method(r, m.Solver)
		c.arithmetic(m, on)
		c.add("out", "samples.png")
		return c.String()
	case draw.Vary:
		c := editLine("vary", r, m, on, edit.VaryOptions{}.WithDefaults().Options)
		c.add("level", r.Level)
		c.add("out", "varied.png")
		return c.String()
	case draw.Interpolate:
		c := editLine("interpolate", r, m, on, edit.InterpolateOptions{}.WithDefaults())
		c.add("out", "way.png")
		return c.String()
	case draw.Inpaint:
		c := editLine("inpaint", r, m, on, edit.InpaintOptions{}.WithDefaults().Options)
		c.add("mask", "mask.png")
		c.add("times", r.Times)
		c.add("out", "completed.png")
		return c.String()
	}
	return ""
}

// editLine returns the command line of an edit up to its own flags.
func editLine(name string, r draw.Request, m draw.Model, on pipeline.Arithmetic, usual edit.Options) commandLine {
	c := commandLine{"fmimg", "edit", name}
	c.add("model", m.Path)
	in := "input.png"
	if r.Kind == draw.Interpolate {
		in = "first.png,second.png"
	}
	c.add("in", in)
	c.count(r.Sample.Count, usual.Count)
	c.classes(r)
	c.method(r, usual.Solver)
	c.arithmetic(m, on)
	return c
}

// A commandLine is the words of a command.
type commandLine []string

// String joins the words.
func (c *commandLine) String() string { return strings.Join(*c, " ") }

// add adds a flag.
func (c *commandLine) add(flag string, value any) {
	*c = append(*c, "--"+flag, quote.Shell(fmt.Sprint(value)))
}

// count adds the number of images, unless it is the usual one.
func (c *commandLine) count(count, usual int) {
	if count = max(count, 1); count != usual {
		c.add("count", count)
	}
}

// classes adds the classes. Edits know no class by its name, generate by its weight of guidance.
func (c *commandLine) classes(r draw.Request) {
	switch {
	case r.Sample.NoClass && r.Kind == draw.Generate:
		c.add("guidance", 0)
	case r.Sample.NoClass:
		c.add("class", model.NoClass)
	case r.Sample.Class != "":
		c.add("class", r.Sample.Class)
	}
}

// arithmetic adds what of the server's arithmetic is not the usual, as it changes pixels. A
// normalizing flow has one precision.
func (c *commandLine) arithmetic(m draw.Model, on pipeline.Arithmetic) {
	if on.ISA != "" {
		c.add("isa", on.ISA)
	}
	if on.Precision != "" && on.Precision != pipeline.AutoPrecision && m.Kind != "normalizing-flow" {
		c.add("precision", on.Precision)
	}
}

// method adds how the images are drawn.
func (c *commandLine) method(r draw.Request, usualSolver string) {
	o := r.Sample
	c.add("seed", o.Seed)
	if o.Solver != "" && o.Solver != usualSolver && o.Solver != model.FlowMapSolver {
		c.add("solver", o.Solver)
	}
	if o.Steps != 0 && o.Solver != "dopri5" {
		c.add("steps", o.Steps)
	}
	if o.TimeShift != 0 && r.Kind == draw.Generate {
		c.add("time-shift", o.TimeShift)
	}
	if o.GuidanceEvery != 0 && o.Guidance != 1 && r.Kind == draw.Generate {
		c.add("guidance-every", o.GuidanceEvery)
	}
	if o.Tol != 0 && o.Solver == "dopri5" {
		c.add("tol", o.Tol)
	}
	if o.NoiseLevel != 0 && o.Solver == "sde" {
		c.add("noise-level", o.NoiseLevel)
	}
	if o.Guidance != 0 && !o.NoClass {
		c.add("guidance", o.Guidance)
	}
}
