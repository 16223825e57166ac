package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/run"
)

// A shell runs command lines in a folder of its own and keeps what they print.
type shell struct {
	t      *testing.T
	env    map[string]string
	stdout string
	stderr string
}

func newShell(t *testing.T) *shell {
	t.Chdir(t.TempDir())
	return &shell{t: t, env: map[string]string{}}
}

// run executes a command line, split at spaces, and returns the exit status.
func (s *shell) run(line string) int { return s.runContext(context.Background(), line) }

func (s *shell) runContext(ctx context.Context, line string) int {
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr, environ: func(name string) (string, bool) {
		value, ok := s.env[name]
		return value, ok
	}, join: cluster.Join}
	status := a.run(ctx, strings.Fields(line))
	s.stdout, s.stderr = stdout.String(), stderr.String()
	return status
}

// must runs a command line and ends the test unless it succeeds.
func (s *shell) must(line string) {
	s.t.Helper()
	if status := s.run(line); status != exitOK {
		s.t.Fatalf("%s: status %d\n%s", line, status, s.stderr)
	}
}

// A wrong command line gives an error of one line, before anything is read or written.
func TestUsage(t *testing.T) {
	for line, want := range map[string]string{
		"trian":                                                              `fmimg: unknown command "trian": did you mean train?`,
		"frobnicate":                                                         `fmimg: unknown command "frobnicate": see fmimg --help`,
		"train":                                                              `fmimg: train: --data is needed: name a data set, such as mnist`,
		"train mnist":                                                        `fmimg: train: "mnist" is no flag, and train takes flags alone: see fmimg train --help`,
		"train --data mnits":                                                 `fmimg: train: --data mnits: no data set and no file has this name: did you mean mnist?`,
		"train --data mnist --bacth 3":                                       `fmimg: train: unknown flag --bacth: did you mean --batch?`,
		"train --data mnist --quux":                                          `fmimg: train: unknown flag --quux: see fmimg train --help`,
		"train --data mnist -x":                                              `fmimg: train: unknown flag -x: see fmimg train --help`,
		"train --data mnist --batch -3":                                      `fmimg: train: --batch -3: a number between 1 and 65536 is needed`,
		"train --data mnist --batch 0":                                       `fmimg: train: --batch 0: a number above 0 is needed`,
		"train --data mnist --batch 3.5":                                     `fmimg: train: --batch 3.5: a whole number is needed`,
		"train --data mnist --size wide":                                     `fmimg: train: --size wide: a side in pixels such as 64, or WIDTHxHEIGHT such as 64x48, is needed`,
		"train --data mnist --size 0":                                        `fmimg: train: --size 0: a number above 0 is needed`,
		"train --data mnist --size 0x0":                                      `fmimg: train: --size 0: a number above 0 is needed`,
		"train --data mnist --size 64x0":                                     `fmimg: train: --size 64x0: both sides lie between 1 and 4096`,
		"train --data mnist --size 64x50":                                    `fmimg: train: --size 64x50: the network base halves images 2 times, which takes multiples of 4: choose --size 64x48 or --size 64x52`,
		"train --data mnist --fit squash":                                    `fmimg: train: --fit "squash": choose one of crop, pad, stretch`,
		"eval --model mnist --fit squash":                                    `fmimg: eval: --fit "squash": choose one of crop, pad, stretch`,
		"edit vary --in a.png --out o.png --fit no":                          `fmimg: edit vary: --fit "no": choose one of crop, pad, stretch`,
		"train --data mnist --steps 0":                                       `fmimg: train: --steps 0: a number above 0 is needed`,
		"train --data mnist --lr NaN":                                        `fmimg: train: --lr NaN: a number between 1e-12 and 1000 is needed`,
		"train --data mnist --lr fast":                                       `fmimg: train: --lr fast: a number is needed`,
		"train --data mnist --seed -1":                                       `fmimg: train: --seed -1: a whole number of 0 or more is needed`,
		"train --data mnist --time 10":                                       `fmimg: train: --time 10: a duration such as 10m or 90s is needed`,
		"train --data mnist --time 0s":                                       `fmimg: train: --time 0s: a duration such as 10m or 90s is needed`,
		"train --data mnist --time":                                          `fmimg: train: --time needs a value: a duration such as 10m or 90s`,
		"train --data mnist --time 1ns":                                      `fmimg: train: --time 1ns: a duration of 1ms or more, such as 10m, is needed`,
		"train --data mnist --save-every 0":                                  `fmimg: train: --save-every 0: a number above 0 is needed`,
		"train --data mnist --preview-every 0":                               `fmimg: train: --preview-every 0: a number above 0 is needed, or -1 for none`,
		"train --data no/such":                                               `fmimg: train: --data no/such: there is no such file or folder: check the spelling, and download first`,
		"train --data mnist --steps 3 --time 1m":                             `fmimg: train: --steps 3: one budget too many: give one of steps, epochs and time`,
		"train --data mnist --preset hugo":                                   `fmimg: train: --preset "hugo": choose one of tiny, base, large, patch`,
		"train --data mnist --isa mmx":                                       `fmimg: train: --isa "mmx": choose one of `,
		"train --data mnist --schedule 7":                                    `fmimg: train: --schedule 7: it is neither a run folder nor a list of step:total pairs such as 3:1200,60:1180`,
		"train --data mnist --micro-batch 200":                               `fmimg: train: --micro-batch 200: a number between 1 and 64 is needed`,
		"distill --steps 3 --time 1m":                                        `fmimg: distill: --steps 3: one budget too many: give one of steps and time`,
		"distill --pool 100 --batch 64":                                      `fmimg: distill: --pool 100: a multiple of the batch is needed: 128 is the nearest`,
		"distill --teacher-steps 6":                                          `fmimg: distill: --teacher-steps 6: a multiple of 4 is needed, as jumps begin at quarters`,
		"distill --teacher-solver dopri5":                                    `fmimg: distill: --teacher-solver dopri5: a solver of fixed steps is needed, such as midpoint`,
		"distill --jump-shares 1":                                            `fmimg: distill: --jump-shares 1: three numbers from 0 to 1 that add up to 1, such as 0.4,0.3,0.3, is needed`,
		"distill --jump-shares 1,1,1":                                        `fmimg: distill: --jump-shares 1,1,1: they add up to 3, and 1 is needed`,
		"distill --guidance 0":                                               `fmimg: distill: --guidance 0: a number above 0 is needed`,
		"distill --huber -1":                                                 `fmimg: distill: --huber -1: a number of 0 or more is needed`,
		"generate":                                                           `fmimg: generate: --out is needed: name a file, such as samples.png`,
		"generate --out a.jpg":                                               `fmimg: generate: --out a.jpg: its name must end in .png, .gif or .npy, or in / for a folder`,
		"generate --out a.png --grid 8":                                      `fmimg: generate: --grid 8: rows x columns, such as 8x8, is needed`,
		"generate --out a.png --grid 8x0":                                    `fmimg: generate: --grid 8x0: rows x columns, such as 8x8, is needed`,
		"generate --out a.png --grid 8x8x8":                                  `fmimg: generate: --grid 8x8x8: rows x columns, such as 8x8, is needed`,
		"generate --out a.png --grid 100000x100000":                          `fmimg: generate: --grid 100000x100000: both sides lie between 1 and 32768`,
		"generate --out a.png --count 0":                                     `fmimg: generate: --count 0: a number above 0 is needed`,
		"generate --out a.png --tol 1e-3":                                    `fmimg: generate: --tol 0.001: only --solver dopri5 has a tolerance: add it, or use --steps`,
		"generate --out a --solver dopri5 --steps 3":                         `fmimg: generate: --steps 3: --solver dopri5 chooses its own: use --tol`,
		"generate --out a/ --grid 2x2 --count 5":                             `fmimg: generate: --count 5: a grid of 2x2 holds 4 images: leave one of the two out, or make the grid larger`,
		"generate --out a.png --guidance-interval 0.75,0.2":                  `fmimg: generate: --guidance-interval 0.75,0.2: LOW,HIGH with 0 <= LOW < HIGH <= 1, such as 0.2,0.75, is needed`,
		"generate --out a.png --guidance-interval 0.5":                       `fmimg: generate: --guidance-interval 0.5: LOW,HIGH with 0 <= LOW < HIGH <= 1, such as 0.2,0.75, is needed`,
		"generate --out a.png --guide mnist --guidance 0":                    `fmimg: generate: --guidance 0: it draws by the guide alone: name that by --model, and leave --guide out`,
		"generate --model emoji --out a.png --guide auto":                    `fmimg: generate: --guide auto: model emoji has kept none: name one, or train with --keep-guide 0.125`,
		"generate --model mnist --out a.png --guide mnist-fast":              `fmimg: generate: --guide mnist-fast: is a flow map, which has no velocity: name the model that it was distilled from, or an earlier one`,
		"eval --model mnist --guide none --evaluations 4":                    `fmimg: eval: --evaluations 4 are those of no number of steps of abm2 with guidance 1.15 held for 2 velocities: 2 steps take 3, 3 steps take 5; guidance 1 takes any number: add --guidance-every 1 for other numbers`,
		"eval --model mnist --evaluations 7":                                 `fmimg: eval: --evaluations 7 are those of no number of steps of abm2 with guidance 1.45 away from mnist's guide (0.67) and no class for t from 0.05 to 0.7 held for 3 velocities: 4 steps take 6, 5 steps take 9; guidance 1 takes any number: add --guidance-every 1 for other numbers`,
		"eval --model mnist --judge-file j":                                  `fmimg: eval: --judge-file j: no judge is trained here: the judges of digits look`,
		"edit vary --in a.png --out b.png --guidance-interval 0,0.5":         `fmimg: edit vary: --guidance-interval 0,0.5: there is no guidance: add --guidance or --guide, or leave it out`,
		"train --data mnist --keep-guide 1":                                  `fmimg: train: --keep-guide 1: a number between 0 and `,
		"train --data mnist --keep-guide 0.1 --objective nf":                 `fmimg: train: --keep-guide 0.1: nothing guides a normalizing flow: leave it out`,
		"generate --out a.png --strip 0":                                     `fmimg: generate: --strip 0: a number above 0 is needed`,
		"generate --out a.png --strip 1":                                     `fmimg: generate: --strip 1: a number between 2 and 32768 is needed`,
		"generate --out a.gif --strip 9":                                     `fmimg: generate: --strip 9: only a .png shows moments side by side, and a.gif is none: name one, or leave the strip out`,
		"generate --out a/ --strip 9":                                        `fmimg: generate: --strip 9: only a .png shows moments side by side, and a/ is none`,
		"generate --out a.png --strip 9 --grid 1x9":                          `fmimg: generate: --grid 1x9: a strip has a row for each image and a column for each moment: say how many images by --count instead`,
		"generate --out a.png --solver rk9":                                  `fmimg: generate: --solver "rk9": choose one of euler, midpoint, heun, rk4, adams2, abm2, dopri5, ddim, ddpm, sde`,
		"generate --out a.png --time-shift 2 --solver dopri5":                `fmimg: generate: --time-shift 2: --solver dopri5 chooses its own steps: leave it out`,
		"generate --out a.png --time-shift 0":                                `fmimg: generate: --time-shift 0: a number above 0 is needed`,
		"generate --out a.png --time-shift 11":                               `fmimg: generate: --time-shift 11: a number between 0.1 and 10 is needed`,
		"generate --model mnist-fast --out a.png --time-shift 2":             `fmimg: generate: --time-shift 2: model mnist-fast is a flow map, which learned equal jumps: leave it out`,
		"model export --format onnx --time-shift 2 --out a.onnx":             `fmimg: model export: --time-shift: only a drawing has one: add --sampler, or leave it out`,
		"generate --out a.png --guidance-every 2 --solver dopri5":            `fmimg: generate: --guidance-every 2: --solver dopri5 chooses its own steps: leave it out`,
		"generate --out a.png --guidance-every 0":                            `fmimg: generate: --guidance-every 0: a number above 0 is needed`,
		"generate --out a.png --guidance-every 1001":                         `fmimg: generate: --guidance-every 1001: a number between 1 and 1000 is needed`,
		"generate --model mnist --out a.png --guidance 1 --guidance-every 2": `fmimg: generate: --guidance-every 2: there is no guidance: leave it out`,
		"generate --model mnist-fast --out a.png --guidance-every 2":         `fmimg: generate: --guidance-every 2: model mnist-fast`,
		"eval --images a --guidance-every 2":                                 `fmimg: eval: --guidance-every: it tells how a model draws, and --images are drawn already: leave one out`,
		"model export --format onnx --guidance-every 2 --out a.onnx":         `fmimg: model export: --guidance-every: only a drawing has one: add --sampler, or leave it out`,
		"model export --format onnx --guide none --out a.onnx":               `fmimg: model export: --guide: only a drawing has one: add --sampler, or leave it out`,
		"generate --out a.png --noise-level 2":                               `fmimg: generate: --noise-level 2: only --solver sde has one: add it, or leave it out`,
		"generate --out a.png --noise-level 0":                               `fmimg: generate: --noise-level 0: a number above 0 is needed`,
		"train --data mnist --path sine":                                     `fmimg: train: --path "sine": known are linear, linear-power(N), cosine, vp and vp(BMIN,BMAX)`,
		"train --data mnist --path vp(9)":                                    `fmimg: train: --path "vp(9)": want two rates, as in vp(0.1,20)`,
		"train --data mnist --objective score":                               `fmimg: train: --objective "score": choose one of velocity, noise, data`,
		"train --data mnist --loss-weight none":                              `fmimg: train: --loss-weight "none": choose one of velocity, noise, data`,
		"generate --out a.png --threads -2":                                  `fmimg: generate: --threads -2: a number between 1 and 4096 is needed`,
		"field":                                                              `fmimg: field: --in is needed: name a safetensors file with x and t`,
		"field --in a":                                                       `fmimg: field: --out is needed: name the safetensors file to write`,
		"version now":                                                        `fmimg: version: "now" is no flag, and version takes flags alone: see fmimg version --help`,
	} {
		s := newShell(t)
		if status := s.run(line); status != exitUsage {
			t.Errorf("%s: status %d", line, status)
		}
		s.expectError(line, want)
	}
}

// expectError checks that stderr is the one line, that stdout is empty, and that the folder is as
// it was.
func (s *shell) expectError(line, want string) {
	s.t.Helper()
	if got, rest, _ := strings.Cut(s.stderr, "\n"); !strings.HasPrefix(got, want) || rest != "" || s.stdout != "" {
		s.t.Errorf("%s:\n%s%swant\n%s", line, s.stdout, s.stderr, want)
	}
	if left, _ := os.ReadDir("."); len(left) > 0 {
		s.t.Errorf("%s: left behind %v", line, left)
	}
}

// A correct command line that cannot be carried out has status 1.
func TestFailures(t *testing.T) {
	for line, want := range map[string]string{
		"generate --model no --out a.png":     `fmimg: generate: model: open no: `,
		"generate --model no --out b/a.png":   `fmimg: generate: cannot write b/a.png: `,
		"train --resume":                      `fmimg: train: no run under runs/: train one with fmimg train --data mnist`,
		"train --resume --out no":             `fmimg: train: no holds no run (it has no config.json): start one without --resume`,
		"field --model no --in a --out b.bin": `fmimg: field: model: open no: `,
	} {
		s := newShell(t)
		if status := s.run(line); status != exitFailed {
			t.Errorf("%s: status %d", line, status)
		}
		s.expectError(line, want)
	}
}

func TestHelp(t *testing.T) {
	s := newShell(t)
	for _, line := range []string{"", "--help", "train --help", "generate --help", "field --help", "classifier --help", "likelihood --help", "edit --help", "edit inpaint --help", "edit interpolate --help", "edit vary --help", "version --help", "help train"} {
		s.must(line)
		if !strings.Contains(s.stdout, "Examples:\n  fmimg ") || !strings.Contains(s.stdout, "Usage:") || s.stderr != "" {
			t.Errorf("%q:\n%s%s", line, s.stdout, s.stderr)
		}
	}
	s.must("completion bash")
	if !strings.Contains(s.stdout, "fmimg") {
		t.Error("no completion")
	}
}

func TestVersion(t *testing.T) {
	s := newShell(t)
	s.must("version")
	if !strings.HasPrefix(s.stdout, "fmimg ") || !strings.Contains(s.stdout, "generic") {
		t.Error(s.stdout)
	}
	s.must("version --json")
	var m pipeline.Machine
	if err := json.Unmarshal([]byte(s.stdout), &m); err != nil || m.Best == "" {
		t.Errorf("%s: %v", s.stdout, err)
	}
}

// version names the commit where it is known, and says when files differed from it.
func TestVersionNamesTheCommit(t *testing.T) {
	for want, b := range map[string]pipeline.Build{
		"":                              {Version: "v0.1.0"},
		", commit ce3d42a":              {Version: "v0.1.0", Commit: "ce3d42a"},
		", commit ce3d42a with changes": {Version: "v0.1.0+dirty", Commit: "ce3d42a", Modified: true},
	} {
		if got := commitOf(b); got != want {
			t.Errorf("%+v: %q, want %q", b, got, want)
		}
	}
}

// version shows the instruction set that a command would use: that of FMIMG_ISA. It refuses one
// that cannot be used.
func TestVersionHonoursTheEnvironment(t *testing.T) {
	s := newShell(t)
	s.env["FMIMG_ISA"] = "generic"
	s.must("version")
	if !strings.Contains(s.stdout, "(default generic)") {
		t.Error(s.stdout)
	}
	for isa := kernels.Generic; isa <= kernels.NEONBF16; isa++ { // every machine lacks one of these
		if _, err := kernels.Parse(isa.String()); err == nil {
			continue
		}
		s.env["FMIMG_ISA"] = isa.String()
		for _, line := range []string{"version", "train --data mnist", "generate --out a.png", "bench kernels"} {
			if status := s.run(line); status != exitUsage {
				t.Errorf("%s with FMIMG_ISA=%v: status %d", line, isa, status)
			}
			for _, part := range []string{"--isa", isa.String(), "is not available", "choose one of generic"} {
				if !strings.Contains(s.stderr, part) {
					t.Errorf("%s with FMIMG_ISA=%v: %q does not say %q", line, isa, s.stderr, part)
				}
			}
		}
	}
}

const tinyTime = "train --data mnist --preset tiny --paired 64 --time 1s"

const tinyRun = "train --data mnist --preset tiny --paired 64 --batch 4 --preview-every -1"

// The two commands of the README, in small: train on MNIST, generate from the newest run.
func TestTrainAndGenerate(t *testing.T) {
	s := newShell(t)
	s.must(tinyRun + " --steps 2")
	if filepath.ToSlash(s.stdout) != "runs/mnist\n" || !strings.Contains(s.stderr, "finished 2 steps (8 images)") {
		t.Fatalf("stdout %q, stderr %q", s.stdout, s.stderr)
	}
	s.must("generate --grid 1x2 --steps 1 --solver euler --padding 0 --out samples.png")
	if s.stdout != "" || !strings.Contains(s.stderr, "mnist") || !strings.Contains(s.stderr, "wrote samples.png: 2 images of 2 evaluations, guidance 1.15, in ") {
		t.Errorf("stdout %q, stderr %q", s.stdout, s.stderr)
	}
	file, err := os.Open("samples.png")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if m, err := png.Decode(file); err != nil || m.Bounds().Dx() != 56 || m.Bounds().Dy() != 28 {
		t.Errorf("picture %v, %v", m, err)
	}
	s.must("generate --guide auto --grid 1x2 --steps 1 --solver euler --out guided.png")
	if want := "guidance 1.45 away from " + filepath.FromSlash("runs/mnist/guide.safetensors") + " (0.67) and no class, in "; !strings.Contains(s.stderr, want) {
		t.Errorf("stderr %q, want %q", s.stderr, want)
	}
	// Only the picture goes to stdout.
	s.must("generate --count 1 --steps 1 --out -")
	if !strings.HasPrefix(s.stdout, "\x89PNG") {
		t.Errorf("stdout starts with %.10q", s.stdout)
	}
	for line, want := range map[string]string{
		"generate --out a.png --class 10":                      "fmimg: generate: --class 10: the classes are 0-9\n",
		"train --data mnist --out runs/mnist --steps 1":        "runs/mnist holds a run: continue it with --resume",
		"train --resume --lr 1":                                "--lr 1: the run in runs/mnist has 0.004",
		"field --in samples.png --out b":                       "samples.png",
		"generate --model samples.png --out a.png":             "samples.png",
		"train --data mnist --init runs/mnist --schedule runs": "--schedule runs",
	} {
		if status := s.run(line); status == exitOK || !strings.Contains(filepath.ToSlash(s.stderr), want) || strings.Count(s.stderr, "\n") > 2 {
			t.Errorf("%s: status %d, %q, want %q", line, status, s.stderr, want)
		}
	}
}

// Ctrl-C saves and says how to go on, and that command works.
func TestInterruptAndResume(t *testing.T) {
	s := newShell(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if status := s.runContext(ctx, tinyRun+" --steps 2"); status != exitFailed {
		t.Fatalf("status %d", status)
	}
	_, command, ok := strings.Cut(strings.TrimSpace(s.stderr), "go on with fmimg ")
	if !ok || s.stdout != "runs/mnist\n" && s.stdout != "" {
		t.Fatalf("stdout %q, stderr %q", s.stdout, s.stderr)
	}
	s.must(command)
	if !strings.Contains(s.stderr, "finished 2 steps") {
		t.Errorf("stderr %q", s.stderr)
	}
	s.must(command)
	if !strings.Contains(s.stderr, "finished already") {
		t.Errorf("stderr %q", s.stderr)
	}
	// A run with a budget in time can be repeated from its folder.
	s.must(tinyRun + " --time 100ms --out timed")
	s.must(tinyRun + " --schedule timed --out again")
	first, err := run.ReadOptions("timed")
	if err != nil {
		t.Fatal(err)
	}
	again, err := run.ReadOptions("again")
	if err != nil || again.Schedule.String() != first.Schedule.String() {
		t.Errorf("schedules %v and %v, %v", first.Schedule, again.Schedule, err)
	}
}

// With --json stdout holds one object a line, from the start to the end.
func TestJSONLines(t *testing.T) {
	s := newShell(t)
	s.must(tinyRun + " --steps 2 --json")
	var kinds []string
	for line := range strings.Lines(s.stdout) {
		var e pipeline.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		kinds = append(kinds, string(e.Kind))
	}
	if got := strings.Join(kinds, ","); got != "started,step,step,finished" || s.stderr != "" {
		t.Errorf("events %s, stderr %q", got, s.stderr)
	}
}

// Every flag can be set in the environment. The command line comes before the environment.
func TestEnvironment(t *testing.T) {
	s := newShell(t)
	s.env["FMIMG_ISA"], s.env["FMIMG_SAVE_EVERY"], s.env["FMIMG_STEPS"] = "generic", "7", "1"
	s.must(tinyRun + " --steps 2 --batch 1 --validate-every -1")
	o, err := run.ReadOptions("runs/mnist")
	if err != nil || o.ISA != "generic" || o.SaveEvery != 7 || o.Steps != 2 {
		t.Errorf("options %+v, %v", o, err)
	}
	s.env = map[string]string{"FMIMG_ISA": "mmx"}
	if status := s.run("generate --out a.png"); status != exitUsage || !strings.Contains(s.stderr, "mmx") {
		t.Errorf("status %d, %q", status, s.stderr)
	}
	s.env = map[string]string{"FMIMG_BATCH": "0"}
	if status := s.run(tinyTime); status != exitUsage || s.stderr != "fmimg: train: --batch 0: a number above 0 is needed (FMIMG_BATCH in the environment)\n" {
		t.Errorf("status %d, %q", status, s.stderr)
	}
	// A budget on the command line settles both.
	s.env = map[string]string{"FMIMG_TIME": "5m", "FMIMG_EPOCHS": "2"}
	s.must(tinyRun + " --steps 1 --out steps")
	s.env = map[string]string{"FMIMG_THREADS": "many"}
	if status := s.run("generate --out a.png"); status != exitUsage || s.stderr != "fmimg: generate: FMIMG_THREADS=many in the environment: a whole number is needed\n" {
		t.Errorf("status %d, %q", status, s.stderr)
	}
}

// Before any training, generate draws digits by the model that is part of the program. A run goes
// before that model.
func TestModelOfTheProgram(t *testing.T) {
	s := newShell(t)
	s.must("generate --count 2 --solver euler --steps 1 --out a.png")
	if !strings.Contains(s.stderr, "model mnist, part of the program (trained on mnist") {
		t.Error(s.stderr)
	}
	s.must("generate --model mnist --class 3 --count 2 --solver euler --steps 1 --out b.png")
	s.must("model show mnist")
	if !strings.Contains(s.stdout, "10 classes and none") || !strings.Contains(s.stdout, "(F16)") {
		t.Error(s.stdout)
	}
	s.must(tinyRun + " --steps 1")
	s.must("generate --count 2 --solver euler --steps 1 --out c.png")
	if !strings.Contains(s.stderr, "model runs/mnist/model.safetensors") {
		t.Error(s.stderr)
	}
	if s.run("generate --model mnits --out d.png") != exitFailed || !strings.Contains(s.stderr, "name a run folder, a .safetensors file, or mnist") {
		t.Error(s.stderr)
	}
}

// What computes slowly says so on stderr, once, unless the instruction set was chosen.
func TestNoteSlowness(t *testing.T) {
	if len(kernels.Built()) == 1 {
		t.Skip("this build has plain Go alone")
	}
	slow := pipeline.Machine{System: "linux/amd64", CPU: "QEMU Virtual CPU", Best: "generic"}
	for line, want := range map[string]int{
		"train": 1, "train --isa generic": 0, "generate": 1, "bench train": 1, "edit vary": 1, "data list": 0, "version": 0,
	} {
		var stderr bytes.Buffer
		a := &app{stdout: &bytes.Buffer{}, stderr: &stderr}
		cmd, args, err := a.newRoot().Find(strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		a.noteISA(cmd, slow)
		if got := strings.Count(stderr.String(), "plain Go computes"); got != want || strings.Count(stderr.String(), "\n") != want {
			t.Errorf("%s: %q", line, stderr.String())
		}
	}
}
