package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// A machine is the emulated one.
type machine struct {
	debian string // folder with Debian's packages, unpacked
	folder string // for the CD and the configuration
}

func (m machine) at(name string) string { return filepath.Join(m.folder, name) }

// debianPath returns where a file of Debian is, by its path without the leading slash.
func (m machine) debianPath(name string) string {
	return filepath.Join(m.debian, filepath.FromSlash(name))
}

// parameters are what Linux is started with, besides where its RAM disk is.
var parameters = []string{
	"console=ttyS0",
	// Bochs has no XFD, by which Linux sees that a process begins to use the tiles of AMX.
	// Without it Linux would not offer AMX; so Linux takes feature 10·32 + 4 for present. Bochs
	// ignores what Linux writes to XFD's registers, and lets processes use tiles from the
	// beginning. Linux does not save them then, so only one thread at a time may use them.
	"setcpuid=324",
	// Bochs refuses the five levels of page tables where the BIOS handles an interrupt, and
	// ACPI makes the BIOS do that.
	"no5lvl", "acpi=off",
	// Bochs ends when the CPU stops by a triple fault, which is how to restart and to panic.
	"reboot=t", "panic=-1",
	// All else saves time.
	"quiet", "loglevel=3", "nosmp", "nokaslr", "mitigations=off", "tsc=reliable", "random.trust_cpu=on",
	"cryptomgr.notests", "vt.global_cursor_default=0",
}

// settings are Bochs's. The number ips says how many instructions last a second of emulated time:
// with less of them timers interrupt more often, with more of them Linux waits for longer.
const settings = `display_library: term
romimage: file=%[1]s/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=%[1]s/usr/share/vgabios/vgabios.bin
cpu: model=sapphire_rapids, count=1, ips=50000000, reset_on_triple_fault=0
memory: guest=1024, host=1024
clock: sync=none
boot: cdrom
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=%[2]s, status=inserted
com1: enabled=1, mode=file, dev=/dev/fd/3
panic: action=fatal
error: action=ignore
info: action=ignore
log: %[3]s
`

// write writes the CD, which holds Linux and the files as its RAM disk, and Bochs's settings.
func (m machine) write(ctx context.Context, files map[string][]byte) error {
	kernel, err := m.kernel()
	if err != nil {
		return err
	}
	boot := fmt.Sprintf("default linux\nlabel linux\n kernel /vmlinuz\n append initrd=/ramdisk %s\n",
		strings.Join(parameters, " "))
	cd := map[string][]byte{"vmlinuz": kernel, "ramdisk": ramDisk(files), "isolinux.cfg": []byte(boot)}
	for _, name := range []string{"ISOLINUX/isolinux.bin", "syslinux/modules/bios/ldlinux.c32"} {
		if cd[filepath.Base(name)], err = os.ReadFile(m.debianPath("usr/lib/" + name)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(m.at("cd"), 0o755); err != nil {
		return err
	}
	for name, data := range cd {
		if err := os.WriteFile(filepath.Join(m.at("cd"), name), data, 0o644); err != nil {
			return err
		}
	}
	if _, err := output(m.program(ctx, "xorriso", "-as", "mkisofs", "-quiet", "-o", m.at("cd.iso"),
		"-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
		m.at("cd"))); err != nil {
		return err
	}
	text := fmt.Sprintf(settings, m.debian, m.at("cd.iso"), m.at("bochs.log"))
	return os.WriteFile(m.at("bochsrc"), []byte(text), 0o644)
}

// kernel reads the kernel, whose place depends on its version.
func (m machine) kernel() ([]byte, error) {
	for _, pattern := range []string{"usr/lib/modules/*/vmlinuz", "boot/vmlinuz-*"} {
		found, err := filepath.Glob(m.debianPath(pattern))
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return os.ReadFile(found[0])
		}
	}
	return nil, fmt.Errorf("no kernel in %s: remove this folder to fetch it again", m.debian)
}

// program returns a command that runs a program of Debian's, with Debian's libraries.
func (m machine) program(ctx context.Context, name string, args ...string) *exec.Cmd {
	libraries := m.debianPath("usr/lib/x86_64-linux-gnu")
	loader, program := filepath.Join(libraries, "ld-linux-x86-64.so.2"), m.debianPath("usr/bin/"+name)
	cmd := exec.CommandContext(ctx, loader, append([]string{"--library-path", libraries, program}, args...)...)
	cmd.Env = append(os.Environ(),
		"LTDL_LIBRARY_PATH="+libraries+"/bochs/plugins",
		"BXSHARE="+m.debianPath("usr/share/bochs"),
		"TERM=linux", "TERMINFO="+m.debianPath("usr/share/terminfo"))
	return cmd
}

// boot runs the machine until it ends, and gives read what comes out of its serial port.
func (m machine) boot(ctx context.Context, read func(io.Reader) error) (err error) {
	serial, port, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, serial.Close()) }()
	cmd := m.program(ctx, "bochs-bin", "-q", "-f", m.at("bochsrc"))
	cmd.ExtraFiles = []*os.File{port} // /dev/fd/3
	messages, err := cmd.StderrPipe()
	if err != nil {
		return errors.Join(err, port.Close())
	}
	if err := errors.Join(cmd.Start(), port.Close()); err != nil {
		return err
	}
	said := make(chan string, 1)
	go func() { said <- follow(messages) }()
	failure := read(serial)
	text := <-said
	// Bochs fails in any case, as it takes the end of the machine for a fault.
	_ = cmd.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("the emulation was stopped: %w", context.Cause(ctx))
	}
	if failure != nil {
		log, err := os.ReadFile(m.at("bochs.log"))
		return errors.Join(failure, err, fmt.Errorf("the log of Bochs ends with %s\n%s", tail(string(log), 5), text))
	}
	return nil
}

// screen matches the message that names the terminal on which Bochs draws.
var screen = regexp.MustCompile(`^Bochs connected to screen "(.*)"`)

// follow reads Bochs's messages to their end and returns the last ones. It starts to watch Bochs's
// screen as soon as a message names the screen.
func follow(messages io.Reader) string {
	var all strings.Builder
	var watching sync.WaitGroup
	var failure error
	lines := bufio.NewScanner(messages)
	for lines.Scan() {
		fmt.Fprintln(&all, lines.Text())
		if m := screen.FindStringSubmatch(lines.Text()); len(m) == 2 {
			watching.Go(func() { failure = watch(m[1]) })
		}
	}
	watching.Wait()
	if failure != nil {
		fmt.Fprintf(&all, "the screen of Bochs: %v\n", failure)
	}
	return tail(all.String(), 5)
}

// tail returns the last n lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
