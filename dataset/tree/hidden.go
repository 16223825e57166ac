package tree

import (
	"path"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/text"
)

// systemNames are files and folders that systems and programs leave beside those of people, in
// lower case. Names that begin with a dot are of that kind too.
var systemNames = []string{
	"__macosx", "icon\r", "thumbs.db", "ehthumbs.db", "desktop.ini", // macOS, Windows
	"$recycle.bin", "recycler", "system volume information", // Windows
	"lost+found", // Linux
	// Network storage.
	"@eadir", "#recycle", "@recycle", "@tmp", "#snapshot", "~snapshot", "@recently-snapshot", "@sharebin",
	"_gsdata_",                                // synchronisation
	"network trash folder", "temporary items", // network shares of macOS
	"cvs",
}

// System reports whether the last element of a path is a name of [systemNames].
func System(name string) bool {
	base := strings.ToLower(path.Base(name))
	number, found := strings.CutPrefix(base, "found.") // Windows
	return strings.HasPrefix(base, ".") && base != "." && base != ".." ||
		slices.Contains(systemNames, base) || strings.HasSuffix(base, ".lrdata") ||
		found && len(number) == 3 && strings.Trim(number, "0123456789") == ""
}

// inSystem reports whether some element of a path is a name of [systemNames].
func inSystem(name string) bool {
	for element := range strings.SplitSeq(name, "/") {
		if System(element) {
			return true
		}
	}
	return false
}

// noteSystem returns the note on system folders that are left out; "" when there is none that a
// person can see.
func noteSystem(folders []string) string {
	visible := slices.DeleteFunc(folders, func(name string) bool { return strings.HasPrefix(path.Base(name), ".") })
	if len(visible) == 0 {
		return ""
	}
	slices.Sort(visible)
	return "left out, as systems make them: " + enumerate(slices.Compact(visible))
}

// namesShown is the number of names in a note.
const namesShown = 3

// enumerate lists names. Of many it takes the first.
func enumerate(names []string) string {
	shown := slices.Clone(names[:min(len(names), namesShown)])
	for i, name := range shown {
		shown[i] = text.Printable(name)
	}
	if len(names) > namesShown {
		return strings.Join(shown, ", ") + ", …"
	}
	return strings.Join(shown, ", ")
}
