// Package draw draws images for many clients at once.
package draw
