package main

import (
	"bufio"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
)

// python are the scripts that measure PyTorch.
//
//go:embed torch_unet.py muon.py
var python embed.FS

// A program is one that runs. It writes one JSON value after another.
type program interface {
	// ask sends a line, for which some programs wait.
	ask() error
	// read reads the next value. It explains why when there is none.
	read(value any) error
	// text returns the rest of the output as it is, when the program ends.
	text() (string, error)
	// close ends the program.
	close()
}

// A process is a program of the operating system.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	values *json.Decoder
	stderr strings.Builder
	ended  bool
}

// start starts a program. It ends with ctx.
func start(ctx context.Context, argv ...string) (program, error) {
	p := &process{cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	p.cmd.Stderr = &p.stderr
	stdin, err1 := p.cmd.StdinPipe()
	stdout, err2 := p.cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	p.stdin, p.stdout = stdin, bufio.NewReader(stdout)
	p.values = json.NewDecoder(p.stdout)
	return p, p.cmd.Start()
}

func (p *process) ask() error {
	_, err := io.WriteString(p.stdin, "\n")
	return err
}

func (p *process) read(value any) error {
	err := p.values.Decode(value)
	if err == nil {
		return nil
	}
	if ended := p.wait(); ended != nil {
		return ended
	}
	return fmt.Errorf("%s: its output is not a JSON value: %w", p.cmd.Args[0], err)
}

func (p *process) text() (string, error) {
	text, err := io.ReadAll(p.stdout)
	if ended := p.wait(); ended != nil {
		return "", ended
	}
	return string(text), err
}

// wait waits for the end, and explains a failure.
func (p *process) wait() error {
	if p.ended {
		return nil
	}
	p.ended = true
	p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, reason(p.stderr.String()))
	}
	return nil
}

func (p *process) close() {
	if !p.ended {
		p.stdin.Close()
		_ = p.cmd.Process.Kill() // it may be in the midst of a measurement that nobody wants
		_ = p.wait()
	}
}

// pythonError is a line of Python with an exception, at the end of a traceback.
var pythonError = regexp.MustCompile(`^[\w.]*(Error|Exception|Compiler|Unsupported)\b.*`)

// reason returns the line of a message where Python says what happened: the last that names an
// exception, as advice may follow it, or else the last.
func reason(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if pythonError.MatchString(lines[i]) {
			return lines[i]
		}
	}
	return lines[len(lines)-1]
}
