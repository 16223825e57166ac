// Package decode makes pixels of one file of a picture.
//
//	p, err := decode.Decode(file, decode.Options{Width: 64, Height: 64, Channels: 3})
//
// # Formats
//
// The first [HeadLen] bytes of a file tell its format, whatever it is called:
//
//	PNG        also damaged where no pixels are; of an animation the default image
//	JPEG       sequential and progressive, of 8 bits: gray, YCbCr, RGB, and Adobe's CMYK and YCCK
//	GIF        the first frame that is not empty, at its place on the canvas
//	WebP       with and without loss; of an animation the first frame at its place
//	BMP        of 1 to 8 bits with a palette, 16 to 32 bits, any masks, RLE; of OS/2 too
//	PNM        PBM, PGM, PPM and PAM, as text and as bytes, of up to 16 bits
//	AVIF, HEIC, JPEG XL   where the program is built with the tag nodynamic
//	TIFF       the first page: gray, palette, RGB and RGBA of 8 and 16 bits, gray of 1 bit; plain,
//	           or compressed by LZW, deflate, PackBits, or CCITT's groups 3 and 4
//
// Many more formats are known by name alone. A file of one of them, or of a kind above that no
// decoder here reads, is [ErrUnsupported], and the error says what to do. [ErrDamaged] is for files
// that nobody could read in full.
//
// The decoders of AVIF, HEIC and JPEG XL are C programs, compiled to WebAssembly. Their packages
// would load a library of the system instead, which needs a dynamic binary. The tag nodynamic
// leaves that out, so the packages are used only with it.
//
// # Turned upright
//
// Exif's orientation is followed in JPEG, PNG, WebP and TIFF, and irot and imir in AVIF and HEIC,
// where Exif data do not count. The decoder of JPEG XL turns pictures itself.
//
// # Colours
//
// The samples of lossy WebP are those of television (BT.601, 16 to 235), and of JPEG those of JFIF.
// AVIF and HEIC say theirs in a box of colours (nclx), else in the stream: the range, full or that
// of television, and the matrix: BT.601, BT.709, BT.2020, none, and a few rare ones. HEIC that says
// nothing is of BT.601 and of television's range, as libheif has it. Profiles (ICC), and primaries
// other than sRGB's, such as those of Display P3, are not read: the numbers stay. The decoder of
// HEIC makes colours of the tiles of a grid itself, and knows a matrix by its box alone.
//
// # More than 8 bits
//
// White is all bits of a sample. Files with 10 or 12 bits in 16 are nearly black so. [Picture] has
// the highest sample, and with it as White in [Options] another call spreads the samples over the
// whole range. The highest sample of PNM is in the file, and is white.
//
// # Alpha
//
// Without alpha in the result, transparent pixels are drawn over white, before the picture is
// resized. With it, colours are straight, not multiplied by alpha. Resizing weighs colours by
// alpha, so that what is transparent adds nothing. At last each wholly transparent pixel gets the
// colour of a nearest visible one.
//
// # Memory
//
// The size in the header is checked before any memory is taken for pixels, against MaxPixels and,
// where a format has a bound, against the size of the file. A decoder takes up to 24 bytes a pixel
// for a while, one in WebAssembly up to 64, and a few times the file. A [Room] bounds the pixels of
// all that is decoded at once. No file makes this package panic.
package decode
