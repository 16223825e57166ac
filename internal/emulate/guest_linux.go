package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// guest is the first process of the emulated machine. It runs the jobs and ends the machine.
func guest() {
	if err := runJobs(os.Stdout); err != nil {
		fmt.Fprintln(os.Stdout, err)
	}
	// Output that the serial port has not sent yet would be lost.
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, os.Stdout.Fd(), drain, 1); e != 0 {
		fmt.Fprintf(os.Stdout, "cannot wait for the serial port: %v\n", e)
	}
	err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART)
	fmt.Fprintf(os.Stdout, "cannot restart: %v\n", err)
	select {} // Linux panics where the first process ends
}

// drain is the request TCSBRK. With an argument of 1 it waits until the output is sent.
const drain = 0x5409

func runJobs(out io.Writer) error {
	for name, kind := range map[string]string{"/dev": "devtmpfs", "/proc": "proc", "/sys": "sysfs", "/tmp": "tmpfs"} {
		if err := os.MkdirAll(name, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(kind, name, kind, 0, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", name, err)
		}
	}
	text, err := os.ReadFile(jobsPath)
	if err != nil {
		return err
	}
	var jobs []job
	if err := json.Unmarshal(text, &jobs); err != nil {
		return fmt.Errorf("%s: %w", jobsPath, err)
	}
	for _, j := range jobs {
		fmt.Fprintf(out, "%s%s\n", startMark, j.Name)
		fmt.Fprintf(out, "%s%s\n", endMark, j.run(out))
	}
	return nil
}

// run runs a job and returns "ok" or what went wrong.
func (j job) run(out io.Writer) string {
	cmd := exec.Command("./tests", j.Args...)
	cmd.Dir = j.Folder
	// The emulator takes long for the garbage collector, and for memory that is used first.
	cmd.Env = []string{"HOME=/tmp", "TMPDIR=/tmp", "GOGC=1000", "GOMEMLIMIT=512MiB"}
	cmd.Stdout, cmd.Stderr = out, out
	var exit *exec.ExitError
	switch err := cmd.Run(); {
	case errors.As(err, &exit):
		return exit.String()
	case err != nil:
		return err.Error()
	}
	return "ok"
}
