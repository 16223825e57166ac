// Package archtest holds tests of the repository's shape, and nothing else: which folder may import
// which, how long functions are, and how wide lines.
package archtest
