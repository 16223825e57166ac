package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fmimg/fmimg/pipeline/run"
	"github.com/fmimg/fmimg/serve/problem"
)

// newNames match the names that new runs may have.
var newNames = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$`)

// isEntry reports whether a name can be that of an entry of a folder which people should see: one
// part of a path that is not hidden, and plain text.
func isEntry(name string) bool {
	return filepath.IsLocal(name) && !strings.ContainsAny(name, `/\`) && !strings.HasPrefix(name, ".") &&
		len(name) <= 255 && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}

// noRun returns the problem of a name of no run.
func noRun(name string) error {
	return &problem.Problem{
		Status: http.StatusNotFound, Type: problem.NotFound, Code: "run_not_found",
		Message: fmt.Sprintf("there is no run %q", name),
	}
}

// conflict returns the problem of a request that does not fit the state of a run.
func conflict(format string, args ...any) error {
	return &problem.Problem{
		Status: http.StatusConflict, Type: problem.Conflict, Message: fmt.Sprintf(format, args...),
	}
}

// openRuns opens the folder of runs.
func (s *Service) openRuns() (*os.Root, error) { return os.OpenRoot(s.options.Runs) }

// view opens the folder of a run. A name that is none, of no folder, or of a folder without a run,
// is a [problem.NotFound].
func (s *Service) view(name string) (*run.View, error) {
	if !isEntry(name) {
		return nil, noRun(name)
	}
	root, err := s.openRuns()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noRun(name)
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return viewIn(root, name)
}

// viewIn is view in an open folder of runs, for a name that is an entry.
func viewIn(root *os.Root, name string) (*run.View, error) {
	v, err := run.OpenView(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noRun(name)
	}
	if errors.Is(err, run.ErrLink) {
		return nil, conflict("run %s: %v: put the folder itself there", name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", name, err)
	}
	if !v.HoldsRun() {
		v.Close()
		return nil, noRun(name)
	}
	return v, nil
}

// path returns the path of the folder of a run, for the rooms of pipeline.
func (s *Service) path(name string) string { return asPath(filepath.Join(s.options.Runs, name)) }

// asPath returns a path that cannot be taken for the name of a model or of a data set.
func asPath(path string) string {
	if strings.ContainsAny(path, `/\`) {
		return path
	}
	return "./" + path
}
