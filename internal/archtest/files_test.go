package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const repository = "../.."

// made are the folders at the top that commands and make write. Git ignores them, and what a run
// says of itself follows no rule of the repository.
var made = []string{"dist", "man", "runs", "site"}

// repositoryFiles returns the paths of the repository's files with one of the extensions, from the
// repository's folder on, with slashes. Hidden folders and those that are made are left out.
func repositoryFiles(t *testing.T, extensions ...string) []string {
	t.Helper()
	files, err := filesBelow(repository, extensions...)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func filesBelow(root string, extensions ...string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		short, err := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (short != "." && strings.HasPrefix(d.Name(), ".") || slices.Contains(made, short)):
			return filepath.SkipDir
		case !d.IsDir() && slices.Contains(extensions, filepath.Ext(path)):
			files = append(files, filepath.ToSlash(short))
		}
		return nil
	})
	return files, err
}

// Runs at the top are left out, and a package of that name is not.
func TestFilesBelow(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a.md", "runs/demo/README.md", "serve/runs/b.md", ".git/c.md", "serve/d.go"} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filesBelow(root, ".md")
	if want := []string{"a.md", "serve/runs/b.md"}; err != nil || !slices.Equal(files, want) {
		t.Errorf("%q, %v, want %q", files, err, want)
	}
}
