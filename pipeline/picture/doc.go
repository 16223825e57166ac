// Package picture turns images as arrays of numbers into files that people look at: grids, PNG with
// texts about their origin, frames of a GIF, NumPy arrays, and curves of losses.
//
// # Where to start
//
//   - [Images] is the array, [N, H, W, C] in [-1, 1]. Numbers beyond these bounds are clamped when
//     they become bytes.
//   - [Grid] lays images out, as [GridOptions] say. [DataGrid] shows a data set.
//   - [WritePNG] writes a picture with [Text] chunks, [WriteNPY] the numbers themselves.
//   - [WriteLossPlot] draws how a loss fell.
//
// # Memory
//
// [Images] own their pixels. [Images.Slice] shares them. Pictures are new memory, except that a
// gray image and its [Paletted] frame share their pixels.
package picture
