package serve

import (
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fmimg/fmimg/pipeline"
)

// The client that OpenAI publishes for Python is served unchanged: it lists, draws, streams, edits,
// and raises its own errors. FMIMG_TEST_OPENAI names a Python that has it; make serve-clients makes
// one.
func TestOpenAIClient(t *testing.T) {
	python := os.Getenv("FMIMG_TEST_OPENAI")
	if python == "" {
		t.Skip("FMIMG_TEST_OPENAI names no Python that has the package openai: see make serve-clients")
	}
	folder := t.TempDir()
	const token = "the-token-of-the-test"
	tokenFile, mask := filepath.Join(folder, "token"), filepath.Join(folder, "mask.png")
	if err := os.WriteFile(tokenFile, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	writeMask(t, mask)
	urls, done := make(chan string, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		done <- Serve(ctx, Options{
			Addr: "127.0.0.1:0", TokenFile: tokenFile, Runs: folder,
			OnEvent: func(e pipeline.Event) {
				if e.Kind == pipeline.Started {
					urls <- e.Path
				}
			},
		})
	}()
	select {
	case url := <-urls:
		script := filepath.Join("testdata", "openai_client.py")
		out, err := exec.CommandContext(ctx, python, script, strings.TrimSuffix(url, "/"), token, mask).CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
	case err := <-done:
		t.Fatal(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// writeMask writes a mask for images of 28x28, whose lower half is transparent.
func writeMask(t *testing.T, path string) {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 28, 28))
	for y := range 14 {
		for x := range 28 {
			m.SetNRGBA(x, y, color.NRGBA{A: 255})
		}
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := png.Encode(file, m); err != nil {
		t.Fatal(err)
	}
}
