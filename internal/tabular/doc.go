// Package tabular knows what people write into columns of tables: which part of a set a row belongs
// to, and how they spell that a label is missing. The readers of tables of labels, of pixels in CSV
// and of parquet share it, so that a column means the same in each of them.
package tabular
