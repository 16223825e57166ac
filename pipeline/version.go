package pipeline

import (
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

const modulePath = "github.com/fmimg/fmimg"

// Now returns the date to write into a file. SOURCE_DATE_EPOCH, the convention for reproducible
// files, sets it.
func Now() time.Time {
	if s, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(s, 0).UTC()
	}
	return time.Now().UTC().Truncate(time.Second)
}

// A Build says which source a program was built from, as the Go toolchain recorded it.
type Build struct {
	// Version is v1.2.3 for a release, a pseudo-version or "(devel)" otherwise. Its end is +dirty
	// where files differed from the commit.
	Version string `json:"fmimg"`
	// Commit is that of the version: in full, or the 12 digits of a pseudo-version. It is empty
	// where it is not known: a release that was built as a module has its version alone.
	Commit string `json:"commit,omitempty"`
	// Modified says that files differed from the commit.
	Modified bool `json:"modified,omitempty"`
}

// ThisBuild describes the build of this module in the running program.
var ThisBuild = sync.OnceValue(func() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Build{Version: "(unknown)"}
	}
	return buildOf(info)
})

// Version returns the version of [ThisBuild].
func Version() string { return ThisBuild().Version }

// pseudo matches the end of a pseudo-version: a time and the first digits of a commit.
var pseudo = regexp.MustCompile(`[.-]\d{14}-([0-9a-f]{12})(?:\+|$)`)

// buildOf finds fmimg in the build information of a program. There fmimg is the main module, which
// the commit is told of, or a dependency.
func buildOf(info *debug.BuildInfo) Build {
	b := Build{Version: moduleVersion(info)}
	if match := pseudo.FindStringSubmatch(b.Version); match != nil {
		b.Commit = match[1]
	}
	if info.Main.Path != modulePath {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// moduleVersion returns the version of fmimg in the build information of a program.
func moduleVersion(info *debug.BuildInfo) string {
	found := &info.Main
	for _, dep := range info.Deps {
		if dep.Path == modulePath {
			found = dep
		}
	}
	if found.Replace != nil {
		found = found.Replace
	}
	if found.Version == "" {
		return "(devel)"
	}
	return found.Version
}
