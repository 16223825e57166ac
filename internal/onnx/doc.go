// Package onnx writes graphs in the format of ONNX, the Open Neural Network Exchange.
//
// A [Graph] grows by operators: each call of [Graph.Op] appends a node and returns the [Value] that
// it computes. A [Model] is a graph with metadata, which [Model.Write] writes as a protocol buffer.
// The numbers of the fields are those of onnx.proto3 of ONNX 1.16. The package knows no operator:
// who calls it knows their names, inputs and attributes.
package onnx
