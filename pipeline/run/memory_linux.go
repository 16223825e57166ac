package run

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// memoryBound returns what bounds the memory of this process, as far as the system says.
func memoryBound() bound { return boundIn(os.DirFS("/")) }

// boundIn returns the smaller of the free memory and the limit of the control group, by the files
// of a system.
func boundIn(root fs.FS) bound {
	free, limit := freeMemory(root), groupLimit(root)
	if free.bytes == 0 || limit.bytes > 0 && limit.bytes < free.bytes {
		return limit
	}
	return free
}

var memAvailable = regexp.MustCompile(`(?m)^MemAvailable: +(\d+) kB$`)

// freeMemory returns about how many bytes can be taken without swapping.
func freeMemory(root fs.FS) bound {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return bound{}
	}
	found := memAvailable.FindSubmatch(text)
	if found == nil {
		return bound{}
	}
	kib, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		return bound{}
	}
	return bound{bytes: kib * 1024}
}

// The places of the hierarchies that bound memory, and the files of their limits: of version 2,
// alone or beside version 1, and of version 1.
var (
	groups2 = []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}
	groups1 = []string{"sys/fs/cgroup/memory"}
)

const (
	limit2 = "memory.max"
	limit1 = "memory.limit_in_bytes"
)

// noLimit is the least number that stands for no limit: version 1 has 2⁶³ less a page.
const noLimit = 1 << 60

// groupLimit returns the smallest limit of the process's control group and of the groups that hold
// it, of which a container may see the lowest alone, as the root.
func groupLimit(root fs.FS) bound {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return bound{}
	}
	least := bound{}
	for line := range bytes.Lines(text) {
		number, rest, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		controllers, group, ok := strings.Cut(rest, ":")
		places, file := groups1, limit1
		if number == "0" && controllers == "" {
			places, file = groups2, limit2
		} else if !listed(controllers, "memory") {
			continue
		}
		for _, place := range places {
			if ok {
				least = least.smaller(limitAbove(root, place, group, file))
			}
		}
	}
	return least
}

// listed reports whether a name is in a list with commas.
func listed(list, name string) bool {
	return strings.Contains(","+list+",", ","+name+",")
}

// limitAbove returns the smallest limit of a group and of the groups above it.
func limitAbove(root fs.FS, place, group, file string) bound {
	least := bound{}
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		name := path.Join(place, group, file)
		if text, err := fs.ReadFile(root, name); err == nil {
			n, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64) // "max" is no number
			if err == nil && n > 0 && n < noLimit {
				least = least.smaller(bound{n, "/" + name})
			}
		}
		if group == "/" {
			return least
		}
	}
}
