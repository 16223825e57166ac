package run

import (
	"testing"
	"testing/fstest"
)

// TestBoundIn has the files of systems with control groups of both versions.
func TestBoundIn(t *testing.T) {
	const gib = 1 << 30
	free := "MemTotal:       16000000 kB\nMemAvailable:    8388608 kB\n" // 8 GiB
	for _, c := range []struct {
		name  string
		files map[string]string
		want  bound
	}{
		{"nothing is known", nil, bound{}},
		{"free memory alone", map[string]string{"proc/meminfo": free}, bound{8 * gib, ""}},
		{"version 2", map[string]string{
			"proc/meminfo": free, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "2147483648\n"}, bound{2 * gib, "/sys/fs/cgroup/a/b/memory.max"}},
		{"version 2, the group above is smaller", map[string]string{
			"proc/meminfo": free, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "1073741824\n",
			"sys/fs/cgroup/a/b/memory.max": "2147483648\n"}, bound{gib, "/sys/fs/cgroup/a/memory.max"}},
		{"version 2, max", map[string]string{
			"proc/meminfo": free, "proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"},
			bound{8 * gib, ""}},
		{"version 2, as a container sees itself", map[string]string{
			"proc/meminfo": free, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1073741824\n"},
			bound{gib, "/sys/fs/cgroup/memory.max"}},
		{"a container that has the name of its host", map[string]string{
			"proc/meminfo": free, "proc/self/cgroup": "0::/docker/0123\n", "sys/fs/cgroup/memory.max": "1073741824\n"},
			bound{gib, "/sys/fs/cgroup/memory.max"}},
		{"a group beside the container's root", map[string]string{
			"proc/self/cgroup": "0::/../../other\n", "sys/fs/cgroup/memory.max": "1073741824\n"},
			bound{gib, "/sys/fs/cgroup/memory.max"}},
		{"more than is free", map[string]string{
			"proc/meminfo": free, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "107374182400\n"},
			bound{8 * gib, ""}},
		{"version 1", map[string]string{
			"proc/meminfo":     free,
			"proc/self/cgroup": "12:cpu,cpuacct:/c\n5:memory:/docker/0123\n1:name=systemd:/x\n",
			"sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes": "1073741824\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":             "9223372036854771712\n"},
			bound{gib, "/sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes"}},
		{"version 1 without a limit", map[string]string{
			"proc/meminfo": free, "proc/self/cgroup": "5:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, bound{8 * gib, ""}},
		{"version 1 with another controller", map[string]string{
			"proc/self/cgroup": "5:hugetlb,memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "4096"},
			bound{4096, "/sys/fs/cgroup/memory/a/memory.limit_in_bytes"}},
		{"both versions", map[string]string{
			"proc/self/cgroup": "5:memory:/a\n0::/b\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "8192",
			"sys/fs/cgroup/unified/b/memory.max": "4096"}, bound{4096, "/sys/fs/cgroup/unified/b/memory.max"}},
		{"nonsense", map[string]string{
			"proc/meminfo": "MemAvailable: x kB", "proc/self/cgroup": "no colons\n0:\n::\n",
			"sys/fs/cgroup/memory.max": "-1"}, bound{}},
	} {
		root := fstest.MapFS{}
		for name, text := range c.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := boundIn(root); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestBoundSays(t *testing.T) {
	for want, b := range map[string]bound{
		"1.5 GB are free":                    {1.5e9, ""},
		"its container may take 2.0 GB (/x)": {2e9, "/x"},
	} {
		if b.String() != want {
			t.Errorf("%q, want %q", b, want)
		}
	}
}
