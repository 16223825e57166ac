package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A side is one of the two programs that are compared.
type side int

const (
	before side = iota // the program at the earlier commit
	after              // the program of the working tree
)

func (s side) String() string { return [...]string{"before", "after"}[s] }

var sides = [...]side{before, after}

// programs are the paths of both programs, by side.
type programs [len(sides)]string

// build builds both programs in the scratch folder. It checks the earlier commit out into a git
// worktree, and removes the worktree at the end.
func build(ctx context.Context, commit, scratch string) (p programs, err error) {
	root, err := output(ctx, "", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return p, err
	}
	root = strings.TrimSpace(root)
	tree := filepath.Join(scratch, "tree")
	if _, err := output(ctx, root, "git", "worktree", "add", "--quiet", "--detach", tree, commit); err != nil {
		return p, err
	}
	defer func() {
		// Without the cancellation of ctx: an interrupted run removes its worktree too.
		_, e := output(context.WithoutCancel(ctx), root, "git", "worktree", "remove", "--force", tree)
		err = errors.Join(err, e)
	}()
	for i, folder := range [...]string{before: tree, after: root} {
		p[i] = filepath.Join(scratch, "fmimg-"+side(i).String())
		if _, err := output(ctx, folder, "go", "build", "-o", p[i], "./cmd/fmimg"); err != nil {
			return p, err
		}
	}
	return p, nil
}

// instructionSets returns the instruction sets that a program finds on the machine.
func instructionSets(ctx context.Context, program string) ([]string, error) {
	text, err := output(ctx, "", program, "version")
	if err != nil {
		return nil, err
	}
	return parseInstructionSets(text)
}

// parseInstructionSets reads a line such as "instruction sets: generic, avx2 (default avx2)".
func parseInstructionSets(version string) ([]string, error) {
	for line := range strings.Lines(version) {
		if sets, ok := strings.CutPrefix(line, "instruction sets:"); ok {
			sets, _, _ = strings.Cut(sets, "(")
			return list(strings.TrimSpace(sets)), nil
		}
	}
	return nil, fmt.Errorf("fmimg version names no instruction sets: name them by -isa:\n%s", version)
}

// list cuts a text at its commas.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// run has one of the programs do something in a folder, and returns what it wrote to stdout. It
// computes in float32, also where a program would choose something else by itself.
func (p programs) run(ctx context.Context, s side, folder string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, p[s], args...)
	cmd.Dir = folder
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FMIMG_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "FMIMG_PRECISION=f32")
	return finish(ctx, cmd)
}

// output runs a command in a folder and returns what it wrote to stdout.
func output(ctx context.Context, folder, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = folder
	text, err := finish(ctx, cmd)
	return string(text), err
}

// finish runs a command. Its error ends with the last line that the command wrote to stderr.
func finish(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		text := strings.TrimSpace(stderr.String())
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, text[strings.LastIndex(text, "\n")+1:])
	}
	return stdout.Bytes(), nil
}
