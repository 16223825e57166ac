package bench

import "testing"

func TestHighWater(t *testing.T) {
	for _, c := range []struct {
		status string
		want   int64
		ok     bool
	}{
		{"Name:\tfmimg\nVmPeak:\t  999 kB\nVmHWM:\t   1234 kB\nVmRSS:\t 7 kB\n", 1234, true},
		{"Name:\tfmimg\n", 0, false},
		{"VmHWM:\t many kB\n", 0, false},
	} {
		if got, ok := highWater([]byte(c.status)); got != c.want || ok != c.ok {
			t.Errorf("%q: got %d, %v", c.status, got, ok)
		}
	}
}
