// Package rows reads pictures and their labels out of parquet files, as Hugging Face's datasets
// write them: a row for each picture, which lies in the file as encoded bytes (PNG, JPEG, …).
//
// # What is read by whom
//
// Package format of github.com/parquet-go/parquet-go describes the metadata, and its package thrift
// decodes them. The rest of that module is not used, for two reasons. It takes memory on the word
// of headers, such as the length of a list or the size of a page, and a damaged file may claim
// gigabytes. And it brings an HTTP client and more, 8 MB in the program. So guard.go looks at the
// metadata before thrift does, page.go unpacks pages (Snappy, gzip, Zstandard) up to the size that
// was checked, and values.go reads their values, which are plain or in a dictionary. Other
// encodings of columns that are needed are refused in words.
//
// # Columns
//
// The column of the pictures is found by its name and type, and by the first bytes of its values.
// The column of the labels is found by its name, or by what the metadata of Hugging Face says.
package rows
