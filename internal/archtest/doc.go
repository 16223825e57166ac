// Package archtest holds tests of the repository's shape, and nothing else: which folder may import
// which, and how long functions are.
package archtest
