package text_test

import (
	"fmt"
	"testing"

	"github.com/fmimg/fmimg/internal/text"
)

func ExampleCount() {
	for n := range 3 {
		fmt.Println(text.Count(n, "batch", "batches"))
	}
	// Output:
	// 0 batches
	// 1 batch
	// 2 batches
}

func TestBytes(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0 kB", 1499: "1 kB", 1e6: "1000 kB", 9.9e6: "9900 kB", 1e7: "10 MB", 9.99e8: "999 MB", 4 << 30: "4.3 GB",
	} {
		if got := text.Bytes(n); got != want {
			t.Errorf("%v bytes: %s, want %s", n, got, want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0s", 0.04: "0s", 4.23: "4.2s", 10.4: "10s", 90: "1m30s",
		3601: "1h0m1s"} {
		if got := text.Seconds(seconds); got != want {
			t.Errorf("%v s: %s, want %s", seconds, got, want)
		}
	}
}
