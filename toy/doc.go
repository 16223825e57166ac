// Package toy has distributions in the plane with known densities, and reads points from CSV files.
// Such data is small, and its learned density can be seen and compared with the true one.
//
// All distributions have mean 0, and are about as wide as standard normal noise. Points are pairs
// (x, y) side by side in one slice, which belongs to the caller.
package toy
