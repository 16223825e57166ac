// Package pipeline holds the small types that its rooms share. A room is a folder below this one
// with one job; ARCHITECTURE.md lists them.
//
// # Where to start
//
//   - [Event] is what every room reports while it works.
//   - [OptionError] is the error for an option that cannot be used. Rooms check options before they
//     start to work.
//   - [Seed] keys everything random by a seed, a stream, and two numbers such as step and position.
//   - [Shape] is the size of an image, [Machine] describes the computer and the program.
//
// # Layouts
//
// Images are float32 in [-1, 1], [N, H, W, C]: image after image, in each row after row, with the
// channels of a pixel side by side.
package pipeline
