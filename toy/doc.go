// Package toy holds distributions in the plane with known densities, and reads points from CSV
// files: small data whose learned density can be looked at, and compared with the true one.
//
// All are about as wide as standard normal noise, with mean 0. Points are (x, y) pairs side by side
// in one slice.
package toy
