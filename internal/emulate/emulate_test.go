package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// What cpio unpacks would be a second opinion, but Linux alone counts; so the test has the bytes of
// the format's definition.
func TestRAMDisk(t *testing.T) {
	got := ramDisk(map[string][]byte{"a/b": []byte("hello")})
	header := func(mode, size, major, minor, name string) string {
		return "070701" + "00000000" + mode + strings.Repeat("0", 16) + "00000001" + "00000000" + size +
			strings.Repeat("0", 16) + major + minor + name + "00000000"
	}
	const none = "00000000"
	want := header("000041ed", none, none, none, "00000002") + "a\x00" +
		header("000041ed", none, none, none, "00000004") + "dev\x00\x00\x00" +
		header("00002180", none, "00000005", "00000001", "0000000c") + "dev/console\x00\x00\x00" +
		header("000081ed", "00000005", none, none, "00000004") + "a/b\x00\x00\x00" + "hello\x00\x00\x00" +
		header(none, none, none, none, "0000000b") + "TRAILER!!!\x00\x00\x00\x00"
	if string(got) != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

// cpio, where there is one, reads the archive too.
func TestRAMDiskAgreesWithCpio(t *testing.T) {
	program, err := exec.LookPath("cpio")
	if err != nil {
		t.Skip("no cpio")
	}
	cmd := exec.CommandContext(t.Context(), program, "--list", "--quiet")
	cmd.Stdin = bytes.NewReader(ramDisk(map[string][]byte{"init": []byte("1"), "module/a/tests": nil}))
	out, err := cmd.Output()
	if want := "dev\nmodule\nmodule/a\ndev/console\ninit\nmodule/a/tests\n"; string(out) != want || err != nil {
		t.Errorf("cpio lists %q (%v), want %q", out, err, want)
	}
}

func TestNewestKernel(t *testing.T) {
	for _, c := range []struct {
		packages string
		want     string // empty: an error
	}{
		{"linux-image-6.12.9+deb13-cloud-amd64 linux-image-6.16.3+deb13-cloud-amd64", "linux-image-6.16.3+deb13-cloud-amd64"},
		{"linux-image-7.3.4+deb13-cloud-amd64 linux-binary-7.3.4+deb13-cloud-amd64", "linux-binary-7.3.4+deb13-cloud-amd64"},
		{"linux-binary-7.10.1-cloud-amd64 linux-binary-7.9.1-cloud-amd64", "linux-binary-7.10.1-cloud-amd64"},
		{"linux-image-7.3.4-cloud-amd64-unsigned linux-image-7.3.4-cloud-arm64 linux-image-7.3.4-amd64 linux-base", ""},
		{"linux-image-6.12.9+deb13-cloud-amd64", ""}, // too old
		{"", ""},
	} {
		got, err := newestKernel(strings.Fields(c.packages))
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q (%v), want %q", c.packages, got, err, c.want)
		}
	}
}

func TestReport(t *testing.T) {
	const (
		begin = "Loading...\r\n@@ start asm\r\n"
		good  = "=== RUN   TestProduct\n    --- PASS: TestProduct/2x7AVX512 (0.00s)\n    --- PASS: TestPairs/2AMX (0.00s)\n"
		end   = "PASS\n@@ end ok\n"
	)
	for _, c := range []struct {
		name, output string
		want         string // in the error; empty: none
	}{
		{"all passed", begin + good + end, ""},
		{"an instruction set without tests", begin + "--- PASS: TestX/avx512 (0.00s)\n" + end, "no test of amx passed"},
		{"a skipped one", begin + good + "--- SKIP: TestX/amx (0.00s)\n" + end, "skipped TestX/amx"},
		{"others are skipped", begin + good + "--- SKIP: TestObjdump (0.00s)\n" + end, ""},
		{"a failure", begin + good + "--- FAIL: TestX/amx (0.00s)\n@@ end exit status 1\n", "tests of asm failed"},
		{"an end too early", begin + good, "ended too early"},
		{"no beginning", "Kernel panic\n", "Kernel panic"},
		{"nothing", "", "ended too early"},
	} {
		r := report{isas: []string{"avx512", "amx"}, out: io.Discard}
		err := r.read(strings.NewReader(c.output))
		if err == nil {
			err = r.check([]string{"asm"})
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// The name of an instruction set may begin with that of another.
func TestReportTellsInstructionSetsApart(t *testing.T) {
	r := report{isas: []string{"avx512", "avx512bf16"}}
	for test, want := range map[string]string{
		"TestOuter/8x32AVX512": "avx512", "TestPairs/1x2AVX512BF16": "avx512bf16", "TestConv/avx512bf16/3x3": "avx512bf16",
		"TestConv/avx2": "", "TestParse": "",
	} {
		if got := r.isaOf(test); got != want {
			t.Errorf("%s: %q, want %q", test, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	o, err := parse([]string{"-isa", "avx512,amx", "./nn", "unet/"}, io.Discard)
	if err != nil || o.tests != "/(?i:avx512|amx)" || strings.Join(o.packages, " ") != "nn unet" {
		t.Errorf("%+v (%v)", o, err)
	}
}

// A folder that cannot be made stands for an archive that cannot be reached.
func TestSkipsVisibly(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("emulates on Linux on amd64 only")
	}
	for _, may := range []bool{true, false} {
		var out strings.Builder
		args := []string{"-isa", "avx512", "-cache", "/dev/null/none", fmt.Sprintf("-may-skip=%v", may)}
		err := run(t.Context(), args, &out, io.Discard)
		if (err == nil) != may || strings.Contains(out.String(), "SKIPPED: [avx512]") != may {
			t.Errorf("%v: %q, %v", args, out.String(), err)
		}
	}
}

// Tests read sources and test data, but those of other packages are not theirs.
func TestAddFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a/a.go", "a/testdata/x.bin", "a/b/b.go", "c/c.go"} {
		if err := errors.Join(os.MkdirAll(path.Dir(name), 0o755), os.WriteFile(name, []byte(name), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string][]byte{}
	if err := addFolder(files, "a"); err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(maps.Keys(files))
	if want := []string{"module/a/a.go", "module/a/testdata/x.bin"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if text := string(files["module/a/a.go"]); text != "a/a.go" {
		t.Errorf("a/a.go holds %q", text)
	}
}
