package pipeline

import (
	"runtime/debug"
	"testing"
)

// A build knows its version and its commit: in a clone, as a module, and in another program.
func TestBuildOf(t *testing.T) {
	const commit = "ce3d42a0123456789abcdef0123456789abcdef0"
	own := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Path: modulePath, Version: version}, Settings: settings}
	}
	revision, clean, dirty := debug.BuildSetting{Key: "vcs.revision", Value: commit},
		debug.BuildSetting{Key: "vcs.modified", Value: "false"}, debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	used := func(m *debug.Module) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Path: "example.org/x", Version: "v9.0.0"},
			Deps: []*debug.Module{{Path: "example.org/y"}, m}, Settings: []debug.BuildSetting{revision, dirty}}
	}
	const pseudo = "v0.1.1-0.20261129112413-ce3d42a01234"
	for name, c := range map[string]struct {
		info *debug.BuildInfo
		want Build
	}{
		"a release":              {own("v0.1.0", revision, clean), Build{"v0.1.0", commit, false}},
		"with changes":           {own("v0.1.0+dirty", revision, dirty), Build{"v0.1.0+dirty", commit, true}},
		"behind a release":       {own(pseudo, revision, clean), Build{pseudo, commit, false}},
		"go install of a tag":    {own("v0.1.0"), Build{"v0.1.0", "", false}},
		"go install of a commit": {own(pseudo), Build{pseudo, "ce3d42a01234", false}},
		"before any release":     {own("v0.0.0-20261129112413-ce3d42a01234"), Build{"v0.0.0-20261129112413-ce3d42a01234", "ce3d42a01234", false}},
		"without git":            {own("(devel)"), Build{"(devel)", "", false}},
		"nothing":                {own(""), Build{"(devel)", "", false}},
		"a dependency":           {used(&debug.Module{Path: modulePath, Version: "v0.1.0"}), Build{"v0.1.0", "", false}},
		"a replaced dependency": {used(&debug.Module{Path: modulePath, Version: "v0.1.0", Replace: &debug.Module{Path: "../fmimg"}}),
			Build{"(devel)", "", false}},
	} {
		if got := buildOf(c.info); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
