//go:build !unix && !js

package main

import "os"

// limitSignals is for systems that have such signals.
func limitSignals() []os.Signal { return nil }
