// Package atomicfile replaces files in one step: after a crash, a full disk or Ctrl-C the path
// holds the old content or the new, whole, never a part.
package atomicfile
