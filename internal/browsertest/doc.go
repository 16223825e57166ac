// Package browsertest drives Chromium for tests of pages. Without Chromium such tests are skipped.
// It is not built for WebAssembly, whose programs start no others.
package browsertest
