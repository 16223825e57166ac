package main

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// realFolder is where writeReal puts what generated images are compared with on slow instruction
// sets.
const realFolder = "real"

// writeReal writes a data set in MNIST's format, with n images for training and n for testing. The
// images are rectangles of random places, sizes and shades, and image i has class i mod 10.
func writeReal(folder string, n int) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, part := range []string{"train", "t10k"} {
		images := binary.BigEndian.AppendUint32(nil, 0x803) // bytes with three dimensions
		for _, size := range []int{n, side28, side28} {
			images = binary.BigEndian.AppendUint32(images, uint32(size))
		}
		labels := binary.BigEndian.AppendUint32(nil, 0x801)
		labels = binary.BigEndian.AppendUint32(labels, uint32(n))
		for i := range n {
			images = append(images, rectangle(random)...)
			labels = append(labels, byte(i%10))
		}
		for name, data := range map[string][]byte{"images-idx3-ubyte": images, "labels-idx1-ubyte": labels} {
			if err := os.WriteFile(filepath.Join(folder, part+"-"+name), data, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// side28 is the height and width of MNIST's images.
const side28 = 28

// rectangle returns the pixels of a random rectangle on black.
func rectangle(random *rand.Rand) []byte {
	pixels := make([]byte, side28*side28)
	top, left := random.IntN(side28/2), random.IntN(side28/2)
	height, width := 1+random.IntN(side28/2), 1+random.IntN(side28/2)
	shade := byte(128 + random.IntN(128))
	for y := top; y < top+height; y++ {
		for x := left; x < left+width; x++ {
			pixels[y*side28+x] = shade
		}
	}
	return pixels
}
