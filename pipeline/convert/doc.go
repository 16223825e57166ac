// Package convert writes models for other programs.
//
//   - [ONNX] writes a network, or a whole drawing, as a graph of ONNX.
//
// A graph holds the network as its configuration and the names of its parameters describe it
// (unetgraph.go). A drawing is the steps of a solver, which a trace finds (trace.go).
package convert
