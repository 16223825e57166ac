// Package diffusers turns networks of the Python library diffusers into fmimg's, and back: its
// UNet2DModel is this U-Net under other names, where its configuration says what fmimg's has.
//
// [Parse] reads a config.json, [Config.Network] finds the configuration of the same network here or
// lists what it has otherwise, and [Config.Weights] brings its tensors into the order of fmimg's.
// [Of] and [Tensors] go the other way.
//
// What differs in form alone is translated: query, key and value are three matrices there and one
// here; the sinusoids of time may begin with sines; convolutions that halve a map may pad below and
// on the right alone, which is fmimg's network turned by 180 degrees. A block that is missing there
// is one that adds nothing here.
package diffusers
