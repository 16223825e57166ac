package onnx

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"maps"
)

// An ElementType is the type of the numbers of a tensor.
type ElementType int

// The types, by their numbers in the format.
const (
	Float32 ElementType = 1
	Int64   ElementType = 7
	Float16 ElementType = 10
)

// A Value names a tensor of a graph: an input, a constant, or what a node computes.
type Value string

// A Dim is a side of a tensor: a number, or the name of one that is not known before the graph
// runs.
type Dim struct {
	Size int
	Name string // empty for a size that is known
}

// Sizes returns dimensions that are known.
func Sizes(sizes ...int) []Dim {
	dims := make([]Dim, len(sizes))
	for i, size := range sizes {
		dims[i].Size = size
	}
	return dims
}

// An Attribute is a setting of a node: an int, a float32, a string or a []int.
type Attribute struct {
	Name  string
	Value any
}

// A Graph is a computation. The zero Graph is empty.
type Graph struct {
	Name string

	nodes, constants, inputs, outputs message
	nodeCount                         int
	known                             map[string]Value // small constants by what they hold
}

// Input adds an input of the graph.
func (g *Graph) Input(name string, t ElementType, dims []Dim) Value {
	g.inputs.bytes(graphInput, tensorValue(name, t, dims))
	return Value(name)
}

// Output makes a value an output of the graph, under a name of its own.
func (g *Graph) Output(v Value, name string, t ElementType, dims []Dim) {
	g.node("Identity", []Value{v}, []Value{Value(name)}, nil)
	g.outputs.bytes(graphOutput, tensorValue(name, t, dims))
}

// tensorValue is the description of an input or output.
func tensorValue(name string, t ElementType, dims []Dim) message {
	var shape, tensor, kind, value message
	for _, d := range dims {
		var dim message
		if d.Name != "" {
			dim.text(dimParam, d.Name)
		} else {
			dim.number(dimValue, int64(d.Size))
		}
		shape.bytes(shapeDim, dim)
	}
	tensor.number(typeElement, int64(t))
	tensor.bytes(typeShape, shape)
	kind.bytes(typeTensor, tensor)
	value.text(valueName, name)
	value.bytes(valueType, kind)
	return value
}

// Op appends a node of the operator op and returns its only output.
func (g *Graph) Op(op string, inputs []Value, attributes ...Attribute) Value {
	return g.Ops(op, 1, inputs, attributes...)[0]
}

// Ops appends a node with n outputs, and returns these.
func (g *Graph) Ops(op string, n int, inputs []Value, attributes ...Attribute) []Value {
	outputs := make([]Value, n)
	for i := range outputs {
		outputs[i] = Value(fmt.Sprintf("%s_%d_%d", op, g.nodeCount, i))
	}
	g.node(op, inputs, outputs, attributes)
	return outputs
}

// node appends a node.
func (g *Graph) node(op string, inputs, outputs []Value, attributes []Attribute) {
	var n message
	for _, v := range inputs {
		n.text(nodeInput, string(v))
	}
	for _, v := range outputs {
		n.text(nodeOutput, string(v))
	}
	n.text(nodeName, fmt.Sprintf("%s_%d", op, g.nodeCount))
	n.text(nodeOp, op)
	for _, a := range attributes {
		n.bytes(nodeAttribute, a.message())
	}
	g.nodes.bytes(graphNode, n)
	g.nodeCount++
}

// message returns the form of an attribute. It panics for a value of another type than [Attribute]
// lists, which only a wrong program has.
func (a Attribute) message() message {
	var m message
	m.text(attributeName, a.Name)
	kind := int64(0)
	switch v := a.Value.(type) {
	case int:
		m.number(attributeInt, int64(v))
		kind = intAttribute
	case float32:
		m.float(attributeFloat, v)
		kind = floatAttribute
	case string:
		m.bytes(attributeText, []byte(v))
		kind = textAttribute
	case []int:
		for _, n := range v {
			m.number(attributeInts, int64(n))
		}
		kind = intsAttribute
	default:
		panic(fmt.Sprintf("onnx: attribute %s is a %T", a.Name, a.Value))
	}
	m.number(attributeType, kind)
	return m
}

// constant appends a tensor whose numbers are given as little-endian bytes.
func (g *Graph) constant(name string, t ElementType, dims []int, raw []byte) Value {
	var m message
	for _, d := range dims {
		m.number(tensorDims, int64(d))
	}
	m.number(tensorType, int64(t))
	m.text(tensorName, name)
	m.bytes(tensorRaw, raw)
	g.constants.bytes(graphInitializer, m)
	return Value(name)
}

// Floats adds a constant of float32 numbers under a name.
func (g *Graph) Floats(name string, dims []int, numbers []float32) Value {
	raw := make([]byte, 0, 4*len(numbers))
	for _, x := range numbers {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return g.constant(name, Float32, dims, raw)
}

// Halves adds a constant of float16 numbers, given by their bits, under a name.
func (g *Graph) Halves(name string, dims []int, bits []uint16) Value {
	raw := make([]byte, 0, 2*len(bits))
	for _, b := range bits {
		raw = binary.LittleEndian.AppendUint16(raw, b)
	}
	return g.constant(name, Float16, dims, raw)
}

// Scalar returns a constant of one float32 number without dimensions. Equal ones are one constant.
func (g *Graph) Scalar(x float32) Value {
	return g.once(fmt.Sprintf("scalar %08x", math.Float32bits(x)), func(name string) {
		g.Floats(name, nil, []float32{x})
	})
}

// Ints returns a constant of a list of whole numbers. Equal ones are one constant.
func (g *Graph) Ints(numbers ...int) Value {
	return g.once(fmt.Sprintf("ints %v", numbers), func(name string) {
		var raw []byte
		for _, n := range numbers {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(int64(n)))
		}
		g.constant(name, Int64, []int{len(numbers)}, raw)
	})
}

// once returns the constant that key describes, which add adds under a name the first time.
func (g *Graph) once(key string, add func(name string)) Value {
	if v, ok := g.known[key]; ok {
		return v
	}
	if g.known == nil {
		g.known = map[string]Value{}
	}
	name := fmt.Sprintf("constant_%d", len(g.known))
	add(name)
	g.known[key] = Value(name)
	return Value(name)
}

// A Model is a graph with what a file says beside it.
type Model struct {
	Graph    Graph
	Opset    int // version of the operators
	Producer string
	Version  string // of the producer
	Doc      string
	Metadata map[string]string
}

// Write writes the model. Equal models are equal files.
func (m *Model) Write(w io.Writer) error {
	var graph, opset, file message
	graph = append(graph, m.Graph.nodes...)
	graph.text(graphName, m.Graph.Name)
	graph = slices.Concat(graph, m.Graph.constants, m.Graph.inputs, m.Graph.outputs)
	opset.number(opsetVersion, int64(m.Opset))
	file.number(modelIRVersion, irVersion)
	file.text(modelProducer, m.Producer)
	file.text(modelProducerVersion, m.Version)
	file.text(modelDoc, m.Doc)
	file.bytes(modelGraph, graph)
	file.bytes(modelOpset, opset)
	for _, key := range slices.Sorted(maps.Keys(m.Metadata)) {
		var entry message
		entry.text(entryKey, key)
		entry.text(entryValue, m.Metadata[key])
		file.bytes(modelMetadata, entry)
	}
	_, err := w.Write(file)
	return err
}
