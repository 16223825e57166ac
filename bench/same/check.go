package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
)

// A setting is one comparison of both programs: a network, an instruction set, a seed and amounts.
type setting struct {
	isa, preset string
	seed        int
	amounts
}

func (s setting) String() string { return fmt.Sprintf("%s %s seed %d", s.isa, s.preset, s.seed) }

// amounts say how much is trained, drawn and measured.
type amounts struct {
	steps, batch int  // of training; a fifth of the steps more when the run is resumed
	validate     bool // measure the validation loss at the end of training
	draw         int  // images
	drawSteps    int  // of the solvers
	eval         int  // images; 0 for no evaluation
	fewReal      bool // compare them with a few images of our own, not with MNIST
	likelihood   int  // images
}

// amountsFor returns what takes about as long for every instruction set. Plain Go computes 1
// GFLOP/s and core where AVX2 computes more than 30: a step of base with 64 images would take a
// minute. There an evaluation takes 100 images, the fewest that it allows, and compares them with
// as few, and the validation loss is left out.
func amountsFor(isa, preset string) amounts {
	switch {
	case isa != "generic":
		return amounts{steps: 40, batch: 64, validate: true, draw: 64, drawSteps: 8, eval: 500, likelihood: 8}
	case preset == "tiny":
		return amounts{steps: 40, batch: 4, draw: 64, drawSteps: 1, eval: 100, fewReal: true, likelihood: 8}
	}
	return amounts{steps: 4, batch: 4, draw: 16, drawSteps: 1, likelihood: 1}
}

// An action is one call of each program, and the files that must be the same afterwards.
type action struct {
	name   string
	args   []string
	stdout string // file that takes what the program writes to stdout; "" for none
	files  []string
}

// The run folder of a setting, and the files of it that are compared.
const runFolder = "run"

var runFiles = []string{
	filepath.Join(runFolder, "model.safetensors"),
	filepath.Join(runFolder, "state.safetensors"),
	filepath.Join(runFolder, "metrics.jsonl"),
}

// training returns the action that makes the run folder.
func (s setting) training() action {
	args := s.trainArgs(s.steps, "--data", "mnist", "--preset", s.preset,
		"--batch", strconv.Itoa(s.batch), "--seed", strconv.Itoa(s.seed), "--isa", s.isa)
	return action{name: "train", args: args, files: runFiles}
}

// trainArgs returns the arguments of a training of so many steps, in which nothing depends on the
// time.
func (s setting) trainArgs(steps int, more ...string) []string {
	validate := -1
	if s.validate {
		validate = steps
	}
	return append([]string{"train", "--out", runFolder, "--steps", strconv.Itoa(steps),
		"--preview-every", "-1", "--validate-every", strconv.Itoa(validate)}, more...)
}

// using returns the actions that need a run folder. The last ones resume the run: the program of
// the working tree goes on with what the earlier one left.
func (s setting) using() []action {
	steps := strconv.Itoa(s.drawSteps)
	draw := func(name, file string, more ...string) action {
		args := []string{"generate", "--model", runFolder, "--out", file, "--count", strconv.Itoa(s.draw),
			"--steps", steps, "--seed", strconv.Itoa(s.seed), "--isa", s.isa}
		return action{name: name, args: append(args, more...), files: []string{file}}
	}
	measure := func(command string, images int, more ...string) action {
		file := command + ".json"
		args := []string{command, "--model", runFolder, "--count", strconv.Itoa(images), "--json",
			"--steps", steps, "--seed", strconv.Itoa(s.seed), "--isa", s.isa}
		return action{name: command, args: append(args, more...), stdout: file, files: []string{file}}
	}
	all := []action{
		draw("generate", "drawn.npy"),
		draw("generate by class", "drawn.png", "--class", "0-9", "--solver", "heun", "--guidance", "1"),
		measure("likelihood", s.likelihood, "--solver", "heun"),
	}
	switch {
	case s.fewReal:
		all = append(all, measure("eval", s.eval, "--data", realFolder))
	case s.eval > 0:
		all = append(all, measure("eval", s.eval))
	}
	return append(all,
		action{name: "resume", args: s.trainArgs(s.steps+max(1, s.steps/5), "--resume"), files: runFiles},
		draw("generate from the resumed run", "resumed.npy"),
	)
}

// A checker runs both programs and counts what it compares.
type checker struct {
	run     func(ctx context.Context, s side, folder string, args ...string) ([]byte, error)
	folder  string // for what the programs write
	threads int    // of each program
	out     io.Writer

	compared, different int
}

// check has both programs do all actions of a setting, and compares the results. It counts
// differences. Its error says why it could not go on.
func (c *checker) check(ctx context.Context, s setting) error {
	var folders [len(sides)]string
	for _, side := range sides {
		folders[side] = filepath.Join(c.folder, fmt.Sprintf("%s-%s-%d", s.isa, s.preset, s.seed), side.String())
		if err := os.MkdirAll(folders[side], 0o755); err != nil {
			return err
		}
		if s.fewReal {
			if err := writeReal(filepath.Join(folders[side], realFolder), s.eval); err != nil {
				return err
			}
		}
	}
	if err := c.do(ctx, s, s.training(), folders); err != nil {
		return err
	}
	// From here on both programs use the run of the earlier one.
	if err := copyRun(folders); err != nil {
		return err
	}
	for _, a := range s.using() {
		if err := c.do(ctx, s, a, folders); err != nil {
			return err
		}
	}
	return nil
}

// do has both programs do an action at once, and compares what they wrote.
func (c *checker) do(ctx context.Context, s setting, a action, folders [len(sides)]string) error {
	args := slices.Concat(a.args, []string{"--threads", strconv.Itoa(c.threads)})
	var failed [len(sides)]error
	var wg sync.WaitGroup
	for _, side := range sides {
		wg.Go(func() {
			text, err := c.run(ctx, side, folders[side], args...)
			if err == nil && a.stdout != "" {
				err = os.WriteFile(filepath.Join(folders[side], a.stdout), text, 0o644)
			}
			failed[side] = err
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failed[before] != nil {
		return fmt.Errorf("the program at the earlier commit: %w", failed[before])
	}
	c.compare(s, a, folders, failed[after])
	return nil
}

// compare compares the files of an action. When the working tree's program failed there are none,
// and that counts as a difference.
func (c *checker) compare(s setting, a action, folders [len(sides)]string, failed error) {
	if failed != nil {
		c.report(s, a, "", failed)
		return
	}
	for _, name := range a.files {
		c.report(s, a, name, same(filepath.Join(folders[before], name), filepath.Join(folders[after], name)))
	}
}

// report prints the outcome of a comparison and counts it.
func (c *checker) report(s setting, a action, name string, difference error) {
	c.compared++
	if difference == nil {
		fmt.Fprintf(c.out, "same    %s, %s: %s\n", s, a.name, name)
		return
	}
	c.different++
	if name != "" {
		difference = fmt.Errorf("%s: %w", name, difference)
	}
	fmt.Fprintf(c.out, "DIFFERS %s, %s: %v\n", s, a.name, difference)
}

// summary prints the count, and is an error when anything differed.
func (c *checker) summary() error {
	fmt.Fprintf(c.out, "%d comparisons, %d differ\n", c.compared, c.different)
	if c.compared == 0 {
		return errors.New("nothing was compared")
	}
	if c.different > 0 {
		return fmt.Errorf("%d of %d comparisons differ", c.different, c.compared)
	}
	return nil
}

// copyRun gives the program of the working tree the run folder of the earlier one.
func copyRun(folders [len(sides)]string) error {
	to := filepath.Join(folders[after], runFolder)
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.CopyFS(to, os.DirFS(filepath.Join(folders[before], runFolder)))
}
