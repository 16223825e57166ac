//go:build (!amd64 && !arm64) || noasm || purego

package kernels

// Available lists the instruction sets that can run here: this build has plain Go alone.
func Available() []ISA { return Built() }

// refusal is for amd64.
func refusal() error { return nil }
