//go:build !js

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/pipeline/sample"
	"github.com/fmimg/fmimg/serve/draw"
)

// A server that runs until the test ends.
type testServer struct {
	t   *testing.T
	url string
}

// serve starts a command line of serve, at a free port.
func (s *shell) serve(line string) *testServer {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, w := io.Pipe()
	a := &app{stdout: w, stderr: io.Discard, environ: func(string) (string, bool) { return "", false }}
	done := make(chan int, 1)
	go func() {
		done <- a.run(ctx, strings.Fields("serve --addr 127.0.0.1:0 "+line))
		w.Close()
	}()
	var url string
	if _, err := fmt.Fscanln(r, &url); err != nil {
		s.t.Fatalf("it says no address: %v, status %d", err, <-done)
	}
	var once sync.Once
	s.t.Cleanup(func() {
		once.Do(stop)
		select {
		case status := <-done:
			if status != exitOK {
				s.t.Errorf("it ended with status %d", status)
			}
		case <-time.After(15 * time.Second):
			s.t.Error("it does not end")
		}
	})
	return &testServer{s.t, strings.TrimSuffix(url, "/")}
}

// get returns what is at a path.
func (s *testServer) get(path string) []byte {
	s.t.Helper()
	w, err := http.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil || w.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: status %d, %.200s, %v", path, w.StatusCode, text, err)
	}
	return text
}

// job submits a job, waits for its end, and returns its id and its command.
func (s *testServer) job(body string) (id, command string) {
	s.t.Helper()
	w, err := http.Post(s.url+"/v1/jobs", "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	text, _ := io.ReadAll(w.Body)
	w.Body.Close()
	var job struct{ ID, Status, Command string }
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if err := json.Unmarshal(text, &job); err != nil || job.ID == "" {
			s.t.Fatalf("%s: %s, %v", body, text, err)
		}
		if job.Status != "waiting" && job.Status != "running" {
			break
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s: it does not end", body)
		}
		text = s.get("/v1/jobs/" + job.ID)
	}
	if job.Status != "done" {
		s.t.Fatalf("%s: %s", body, text)
	}
	return job.ID, job.Command
}

// pixels decodes a PNG into its pixels.
func pixels(t *testing.T, file []byte) image.Image {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The command line of a job draws the same pixels as the grid of the job.
func TestServeCommands(t *testing.T) {
	s := newShell(t)
	server := s.serve("")
	for _, body := range []string{
		`{"model": "mnist-fast", "classes": "7", "count": 4, "seed": 5}`,
		`{"model": "mnist-fast", "count": 3, "steps": 1, "seed": 18446744073709551615}`,
		`{"model": "mnist", "classes": "0-9", "count": 5, "seed": 2, "steps": 2, "guidance": 2}`,
		`{"model": "mnist", "count": 2, "seed": 3, "solver": "euler", "steps": 3}`,
		`{"model": "mnist", "count": 2, "seed": 3, "time_shift": 3, "steps": 3}`,
		`{"model": "mnist", "count": 2, "seed": 3, "guidance": 3, "guidance_every": 2, "steps": 3}`,
		`{"model": "mnist", "count": 2, "seed": 3, "no_class": true, "steps": 2}`,
		`{"model": "mnist", "count": 1, "seed": 3, "guidance": 0, "steps": 2, "solver": "sde", "noise_level": 0.5}`,
		`{"model": "mnist", "count": 1, "seed": 4, "solver": "dopri5", "tol": 0.1}`,
	} {
		id, command := server.job(body)
		words, ok := strings.CutPrefix(command, "fmimg ")
		if !ok {
			t.Fatalf("%s: the command is %q", body, command)
		}
		s.must(words)
		file, err := os.ReadFile("samples.png")
		if err != nil {
			t.Fatal(err)
		}
		want := pixels(t, server.get("/v1/jobs/"+id+"/grid.png"))
		if got := pixels(t, file); fmt.Sprint(got.Bounds()) != fmt.Sprint(want.Bounds()) || !bytes.Equal(got.(*image.Gray).Pix, want.(*image.Gray).Pix) {
			t.Errorf("%s: %s draws something else", body, command)
		}
	}
}

// Commands of edits name the files that a person puts there, and quote what a shell would take
// apart.
func TestCommandOf(t *testing.T) {
	m := draw.Model{Path: "runs/my photos", Solver: "adams2"}
	for want, r := range map[string]draw.Request{
		`fmimg generate --model "runs/my photos" --count 1 --class "black cat" --seed 7 --out samples.png`: {
			Kind: draw.Generate, Sample: sample.Options{Class: "black cat", Seed: 7}},
		`fmimg edit vary --model "runs/my photos" --in input.png --count 3 --seed 1 --steps 20 --guidance 2 --level 0.25 --out varied.png`: {
			Kind: draw.Vary, Level: 0.25, Sample: sample.Options{Count: 3, Seed: 1, Method: model.Method{Solver: "midpoint", Steps: 20, Guidance: 2}}},
		`fmimg edit interpolate --model "runs/my photos" --in first.png,second.png --seed 0 --solver rk4 --out way.png`: {
			Kind: draw.Interpolate, Sample: sample.Options{Count: 8, Method: model.Method{Solver: "rk4"}}},
		`fmimg edit inpaint --model "runs/my photos" --in input.png --seed 0 --mask mask.png --times 4 --out completed.png`: {
			Kind: draw.Inpaint, Times: 4, Sample: sample.Options{Count: 6}},
		"": {Kind: draw.Likelihood},
	} {
		if got := commandOf(r, m, pipeline.Arithmetic{}); got != want {
			t.Errorf("%s:\n got %s\nwant %s", r.Kind, got, want)
		}
	}
	on := pipeline.Arithmetic{ISA: "avx2", Precision: "bf16"}
	flow := draw.Model{Path: "runs/flow", Kind: "normalizing-flow"}
	for want, got := range map[string]string{
		`fmimg generate --model "runs/my photos" --count 1 --seed 0 --isa avx2 --precision bf16 --out samples.png`:                          commandOf(draw.Request{Kind: draw.Generate}, m, on),
		`fmimg edit vary --model "runs/my photos" --in input.png --count 1 --seed 0 --isa avx2 --precision bf16 --level 1 --out varied.png`: commandOf(draw.Request{Kind: draw.Vary, Level: 1}, m, on),
		`fmimg edit vary --model runs/flow --in input.png --count 1 --class none --seed 0 --level 1 --out varied.png`: commandOf(draw.Request{
			Kind: draw.Vary, Level: 1, Sample: sample.Options{NoClass: true, Class: "7", Method: model.Method{Guidance: 1}}}, flow, pipeline.Arithmetic{}),
		`fmimg generate --model runs/flow --count 1 --seed 0 --isa avx2 --out samples.png`: commandOf(draw.Request{Kind: draw.Generate}, flow, on),
		`fmimg generate --model runs/flow --count 1 --seed 0 --out samples.png`:            commandOf(draw.Request{Kind: draw.Generate}, flow, pipeline.Arithmetic{Precision: pipeline.AutoPrecision}),
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A server says where it is, has the page, and says what is in its way in one line.
func TestServe(t *testing.T) {
	s := newShell(t)
	server := s.serve("--memory 64 --waiting 100")
	if text := server.get("/"); !bytes.Contains(text, []byte("<html")) {
		t.Errorf("the page is %.100s", text)
	}
	server.get("/healthz")
	busy := strings.TrimPrefix(server.url, "http://")
	if err := os.WriteFile("token", []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"serve --addr " + busy:                        "fmimg: serve: --addr " + busy + ": another program listens there: choose another port, or --addr 127.0.0.1:0, which takes a free one\n",
		"serve --addr 0.0.0.0:0":                      "fmimg: serve: --addr 0.0.0.0:0: other machines reach it, and anyone there could draw and train: add --token-file, or listen on 127.0.0.1\n",
		"serve --addr 8080":                           "fmimg: serve: --addr 8080: an address and a port are needed, such as 127.0.0.1:8080\n",
		"serve --memory 0":                            "fmimg: serve: --memory 0: a number above 0 is needed\n",
		"serve --addr 127.0.0.1:0 --token-file token": "fmimg: serve: --token-file token: a token has 16 to 1024 characters, and this one 5: make one with openssl rand -hex 32\n",
		"serve --addr 127.0.0.1:0 --host a/b":         "fmimg: serve: --host \"a/b\": a name without a port is needed, such as images.example.org\n",
	} {
		if status := s.run(line); status != exitUsage || s.stderr != want {
			t.Errorf("%s: status %d\n got %swant %s", line, status, s.stderr, want)
		}
	}
}
