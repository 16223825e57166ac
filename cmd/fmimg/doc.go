// Command fmimg trains small image generators by flow matching, and draws images from them.
//
//	fmimg train --data mnist --time 10m
//	fmimg generate --grid 8x8 --out samples.png
//
// Flags become option structs of package pipeline, which does the work, and its events become a
// progress bar, plain lines or JSON lines. Results go to stdout, all else to stderr. The exit status is
// 0, 1 when something failed, or 2 when fmimg was used wrongly; an error is one line on stderr.
//
// Every flag can be given in the environment too: FMIMG_ISA is --isa, FMIMG_SAVE_EVERY --save-every.
package main
