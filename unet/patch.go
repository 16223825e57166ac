package unet

import "github.com/fmimg/fmimg/kernels"

// load writes images, [n, H, W, C] with channels contiguous, to a map at either end of the network.
func (r *Replica) load(to kernels.Map, images []float32) {
	if r.patches == nil {
		to.Load(images)
		return
	}
	patches := r.patches[:len(images)]
	r.cfg.eachPatch(len(images), func(image, patch int) { patches[patch] = images[image] })
	to.Load(patches)
}

// store reads images, [n, H, W, C], from a map at either end of the network.
func (r *Replica) store(from kernels.Map, images []float32) {
	if r.patches == nil {
		from.Store(images)
		return
	}
	patches := r.patches[:len(images)]
	from.Store(patches)
	r.cfg.eachPatch(len(images), func(image, patch int) { images[image] = patches[patch] })
}

// eachPatch calls do with the place of each of total numbers in images and in maps of patches. The
// numbers of a patch are in the order of PyTorch's pixel_unshuffle: channel, row, column.
//
// Of images without patches that the network sees turned, the last pixel is the first.
func (c Config) eachPatch(total int, do func(image, patch int)) {
	if c.Turned {
		c.eachTurned(total, do)
		return
	}
	h, w, deep := c.firstMap()
	p, channels := c.patch(), c.InChannels
	row := w * p * channels // numbers of a row of an image
	for first := 0; first < total; first += h * w * deep {
		for y := range h * p {
			for x := range w * p {
				image := first + y*row + x*channels
				patch := first + ((y/p)*w+x/p)*deep + (y%p)*p + x%p
				for channel := range channels {
					do(image+channel, patch+channel*p*p)
				}
			}
		}
	}
}

// eachTurned is eachPatch for images that are turned by 180 degrees.
func (c Config) eachTurned(total int, do func(image, patch int)) {
	size := c.ImageLen()
	for first := 0; first < total; first += size {
		for pixel := 0; pixel < size; pixel += c.InChannels {
			for channel := range c.InChannels {
				do(first+pixel+channel, first+size-c.InChannels-pixel+channel)
			}
		}
	}
}
