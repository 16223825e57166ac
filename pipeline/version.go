package pipeline

import (
	"os"
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

// Version returns the version of this module in the running program, as recorded by the Go
// toolchain: v1.2.3 for a release, a pseudo-version or "(devel)" otherwise.
var Version = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	return moduleVersion(info)
})

// moduleVersion finds fmimg in the build information of a program. There fmimg is the main module
// or a dependency.
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
