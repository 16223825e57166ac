package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// sources are the archives that packages come from. The kernel of backports is needed: Linux before
// 6.15 has no parameter setcpuid.
const sources = `deb [signed-by=%[1]s] http://deb.debian.org/debian trixie main
deb [signed-by=%[1]s] http://deb.debian.org/debian trixie-backports main
`

// keyring holds the keys of Debian's archives; it is part of Debian.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// names lists the packages besides the kernel. apt adds those that they depend on.
var names = []string{"bochs", "bochs-term", "bochsbios", "vgabios", "ncurses-base", "isolinux", "syslinux-common", "xorriso"}

// fetch returns the folder in cache with Debian's packages unpacked, as if it were the root of a
// system. If it is not there, fetch downloads them, about 100 MB.
func fetch(ctx context.Context, cache string, progress io.Writer) (root string, err error) {
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(user, "fmimg", "emulate")
	}
	if cache, err = filepath.Abs(cache); err != nil {
		return "", err
	}
	root = filepath.Join(cache, "root")
	if _, err := os.Stat(root); !errors.Is(err, os.ErrNotExist) {
		return root, err
	}
	fmt.Fprintf(progress, "fetching Bochs and Linux from Debian's archive into %s\n", cache)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	part, err := os.MkdirTemp(cache, "part-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(part)) }()
	unpacked := filepath.Join(part, "root")
	if err := unpack(ctx, archive{part}, unpacked); err != nil {
		return "", err
	}
	return root, os.Rename(unpacked, root)
}

// unpack downloads all packages and unpacks them into root.
func unpack(ctx context.Context, a archive, root string) error {
	if err := a.open(); err != nil {
		return err
	}
	if _, err := a.apt(ctx, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	list, err := a.apt(ctx, "apt-cache", "pkgnames", "linux-")
	if err != nil {
		return err
	}
	kernel, err := newestKernel(strings.Fields(list))
	if err != nil {
		return err
	}
	install := append([]string{"apt-get", "install", "-qq", "--yes", "--download-only", kernel}, names...)
	if _, err := a.apt(ctx, install...); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(a.folder, "archives", "*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if _, err := output(exec.CommandContext(ctx, "dpkg-deb", "--extract", deb, root)); err != nil {
			return err
		}
	}
	return nil
}

// An archive is apt with sources and lists of its own, in a folder. It takes no package for
// installed, so it downloads libc6 too.
type archive struct{ folder string }

func (a archive) open() error {
	if _, err := os.Stat(keyring); err != nil {
		return fmt.Errorf("the keys of Debian's archive are needed (package debian-archive-keyring): %w", err)
	}
	for _, name := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.folder, name), 0o755); err != nil {
			return err
		}
	}
	conf := fmt.Sprintf(`Dir::Etc::sourcelist %[1]q;
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists %[2]q;
Dir::State::status %[3]q;
Dir::Cache %[4]q;
Dir::Cache::archives %[5]q;
APT::Install-Recommends "0";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
`, a.at("sources.list"), a.at("lists"), a.at("status"), a.at("."), a.at("archives"))
	return errors.Join(
		os.WriteFile(a.at("sources.list"), fmt.Appendf(nil, sources, keyring), 0o644),
		os.WriteFile(a.at("status"), nil, 0o644),
		os.WriteFile(a.at("apt.conf"), []byte(conf), 0o644),
	)
}

func (a archive) at(name string) string { return filepath.Join(a.folder, name) }

// apt runs a program of apt on the archive and returns what it prints.
func (a archive) apt(ctx context.Context, command ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "APT_CONFIG="+a.at("apt.conf"), "DEBIAN_FRONTEND=noninteractive")
	return output(cmd)
}

// output runs a command and returns its standard output. An error tells its standard error.
func output(cmd *exec.Cmd) (string, error) {
	var errs strings.Builder
	cmd.Stderr = &errs
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, errs.String())
	}
	return string(text), nil
}

// kernelName matches the packages with a kernel for virtual machines. Since Linux 7 the kernel is
// in a package of its own, linux-binary.
var kernelName = regexp.MustCompile(`^linux-(?:binary|image)-(\d+)\.(\d+)\.(\d+)\S*-cloud-amd64$`)

// newestKernel picks the package with the newest kernel.
func newestKernel(packages []string) (string, error) {
	var best string
	var newest []int
	for _, name := range packages {
		m := kernelName.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		var version []int
		for _, digits := range m[1:] {
			n, err := strconv.Atoi(digits)
			if err != nil {
				return "", fmt.Errorf("package %s: %w", name, err)
			}
			version = append(version, n)
		}
		// The order of names breaks a tie: linux-binary comes before linux-image.
		if c := slices.Compare(version, newest); c > 0 || c == 0 && name < best {
			best, newest = name, version
		}
	}
	if slices.Compare(newest, []int{6, 15}) < 0 {
		return "", fmt.Errorf("no kernel from Linux 6.15 on among %d packages of Debian's archive", len(packages))
	}
	return best, nil
}
