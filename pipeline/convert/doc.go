// Package convert brings models to other programs, and weights from them.
//
//   - [ONNX] writes a network, or a whole drawing, as a graph of ONNX.
//   - [Import] makes a model of weights that PyTorch saved.
//
// A graph holds the network as its configuration and the names of its parameters describe it
// (unetgraph.go). A drawing is the steps of a solver, which a trace finds (trace.go).
package convert
