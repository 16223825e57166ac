// The program that draws the figures of docs/theory.md; "make theory" runs it. It is a module of its own, as the
// folder above is the module of the linters.
module github.com/fmimg/fmimg/tools/theory

go 1.26.0

require (
	github.com/fmimg/fmimg v0.0.0
	github.com/go-analyze/charts v0.6.4
)

require (
	github.com/dustin/go-humanize v1.0.1 // indirect
	github.com/go-analyze/bulk v0.1.6 // indirect
	github.com/golang/freetype v0.0.0-20170609003504-e2365dfdc4a0 // indirect
	golang.org/x/image v0.48.0 // indirect
	golang.org/x/text v0.44.0 // indirect
)

replace github.com/fmimg/fmimg => ../..
