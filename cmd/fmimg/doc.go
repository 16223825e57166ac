// Command fmimg trains small image generators by flow matching, and draws images from them.
//
//	fmimg train --data mnist --time 10m
//	fmimg generate --grid 8x8 --out samples.png
//
// Flags become the option structs of the packages below pipeline, which do the work. Their events
// become a progress bar, plain lines or JSON lines. Results go to stdout, all else to stderr. The
// exit status is 0, 1 when something failed, or 2 when fmimg was used wrongly. An error is one line
// on stderr.
//
// Only this package names flags and commands: it words the errors, events and cards of the
// libraries, see words.go.
//
// Every flag can be given in the environment too: FMIMG_ISA is --isa, and FMIMG_SAVE_EVERY is
// --save-every.
package main
