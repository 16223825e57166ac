//go:build !nodynamic

package decode

// guests are the formats whose decoders are C programs. They are known here, so that a message can
// say how to read them.
var guests = []format{
	{name: "AVIF", magic: isAVIF, cure: withoutGuests},
	{name: "HEIC", magic: isHEIC, cure: withoutGuests},
	{name: "JPEG XL", magic: isJXL, cure: withoutGuests},
}

const withoutGuests = "this fmimg was built without it: build it with -tags nodynamic, or convert the picture to PNG"
