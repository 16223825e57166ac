// Package atomicfile replaces files in one step. After a crash, a full disk or Ctrl-C there is
// either the old file or the new one at the path, and never a part of one.
package atomicfile
