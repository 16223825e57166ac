// Package cluster connects the processes of one run, its ranks, which may run on many machines.
//
// A [Comm] is what a rank holds of the connection: its number, how many ranks there are, and a few
// calls that move bytes. [Alone] is a run of one rank. [InProcess] connects goroutines of one
// process, for tests and measurements. [Join] finds what the program was started in.
//
// The package moves bytes and adds nothing up. In which order numbers of several ranks are summed
// is for their owner to say.
package cluster
