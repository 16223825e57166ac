package filekind

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strconv"
	"strings"
)

// What to do with a file, where several kinds share it.
const (
	again   = "download or copy it again"
	convert = "convert the weights to safetensors with the program that made it"
	torch   = "save the weights there with safetensors.torch.save_file"
	unpack  = "unpack it"
)

// broken are files whose bytes did not arrive.
var broken = []kind{
	{"an empty file", again, func(head []byte) bool { return len(head) == 0 }},
	{"all zeros at its beginning, as a download that broke off leaves it", again, func(head []byte) bool {
		return len(head) >= 8 && len(bytes.Trim(head, "\x00")) == 0
	}},
	{"the answer of a web server with its header, not the file alone", again, begins("HTTP/1.", "HTTP/2")},
}

// pointers stand for a file that is elsewhere.
var pointers = []kind{
	{"a pointer of Git LFS, not the file", "run git lfs pull",
		begins("version https://git-lfs.github.com/spec/", "version https://hawser.github.com/spec/")},
	{"a pointer of Xet, not the file", "run git xet pull, or download it with the hub's own program",
		begins("# xet version")},
	{"a pointer of git-annex, not the file", "run git annex get on it", matches(`^(/|(\.\./)*\.git/)annex/objects/`)},
	{"a pointer of DVC, not the file", "run dvc pull", matches(`^(md5: |outs:\r?\n *-? *(md5|hash|etag|size))`)},
	{"what macOS keeps beside a file (AppleDouble), not the file", "name the one without ._ before its name",
		begins("\x00\x05\x16\x07", "\x00\x05\x16\x00")},
	{"a shortcut of Windows, not the file", "name the file that it leads to", begins("L\x00\x00\x00\x01\x14\x02\x00")},
	{"an Internet shortcut, not the file", "download the file that it leads to", begins("[InternetShortcut]")},
	{"an alias of macOS, not the file", "name the file that it leads to", begins("book\x00\x00\x00\x00mark")},
}

// models are the formats of weights.
var models = []kind{
	{Safetensors, "", isSafetensors},
	{"a file of PyTorch's torch.save", torch, isTorch},
	{"a pickle of Python", "write its content as safetensors, pictures or .npy in Python", isPickle},
	{"a model of GGUF", convert, begins("GGUF")},
	{"a model of GGML", convert, begins("lmgg", "ggml", "tjgg", "fmgg")},
	{"a model of ONNX", convert, isONNX},
	{"a model of TensorFlow Lite", convert, holds(4, "TFL3")},
	{"a file of HDF5", "write its content as safetensors, pictures or .npy, in Python with h5py",
		begins("\x89HDF\r\n\x1a\n")},
}

// archives are files of files, and compressed files.
var archives = []kind{
	{"an .npz, a zip of NumPy's arrays", "save its arrays as .npy files", zipOf(`\.npy$`)},
	{"a model of Keras", convert, zipOf(`^(metadata\.json|model\.weights\.h5|config\.json)$`)},
	{"a document of an office program", "", zipOf(`^(\[Content_Types\]\.xml|mimetype|_rels/)`)},
	{"a program of Java or Android", "", zipOf(`^(META-INF/|AndroidManifest\.xml)`)},
	{"a zip", unpack, begins("PK\x03\x04", "PK\x05\x06")},
	{"a part of a zip of several parts", "unpack all of its parts together", begins("PK\x07\x08", "PK00PK")},
	{"a gzip", unpack, begins("\x1f\x8b")},
	{"compressed by zstd", unpack, begins("\x28\xb5\x2f\xfd")},
	{"compressed by xz", unpack, begins("\xfd7zXZ\x00")},
	{"compressed by bzip2", unpack, matches(`^BZh[1-9](1AY&SY|\x17rE8P\x90)`)},
	{"compressed by lz4", unpack, begins("\x04\x22\x4d\x18", "\x02\x21\x4c\x18")},
	{"compressed by lzip", unpack, begins("LZIP\x01")},
	{"compressed by compress", unpack, begins("\x1f\x9d")},
	{"a 7z archive", unpack, begins("7z\xbc\xaf\x27\x1c")},
	{"a RAR archive", unpack, begins("Rar!\x1a\x07")},
	{"a tar archive", unpack, isTar},
	{"a cabinet of Windows", unpack, begins("MSCF\x00\x00\x00\x00")},
	{"an archive of ar, such as a .deb", unpack, begins("!<arch>\n")},
}

// documents are files of other programs.
var documents = []kind{
	{"a PDF", "", begins("%PDF-")},
	{"a PostScript file", "", begins("%!PS", "\xc5\xd0\xd3\xc6")},
	{"a document of an office program", "", begins("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "{\\rtf")},
	{"a Parquet file, as Hugging Face stores data", "write its pictures as files, in Python with datasets",
		begins("PAR1", "PARE")},
	{"an Arrow file, as Hugging Face stores data", "write its pictures as files, in Python with datasets",
		begins("ARROW1\x00\x00", "\xff\xff\xff\xff\x10\x00\x00\x00")},
	{"a file of MATLAB", "save its arrays as .npy files, in Python with scipy.io", begins("MATLAB ")},
	{"a database of SQLite", "", begins("SQLite format 3\x00")},
	{"a program of Linux", "", begins("\x7fELF")},
	{"a program of macOS", "", begins("\xcf\xfa\xed\xfe", "\xce\xfa\xed\xfe", "\xca\xfe\xba\xbe")},
	{"a program of Windows", "", both(begins("MZ"), func(head []byte) bool { return bytes.Contains(head, []byte("PE\x00\x00")) })},
	{"a property list of macOS", "", begins("bplist00")},
	{"a font", "", begins("\x00\x01\x00\x00\x00", "OTTO\x00", "wOFF", "wOF2", "ttcf\x00")},
}

// pictures are pictures, and what else people see and hear.
var pictures = []kind{
	{"a PNG", "", begins("\x89PNG\r\n\x1a\n")},
	{"a JPEG", "", begins("\xff\xd8\xff")},
	{"a GIF", "", begins("GIF87a", "GIF89a")},
	{"a WebP", "", both(begins("RIFF"), holds(8, "WEBP"))},
	{"a TIFF", "", begins("II*\x00", "MM\x00*", "II+\x00", "MM\x00+")},
	{"a BMP", "", both(begins("BM"), holds(6, "\x00\x00\x00\x00"))},
	{"an AVIF", "", isBrand("avif", "avis")},
	{"a HEIC", "", isBrand("heic", "heix", "heim", "heis", "hevc", "mif1", "msf1")},
	{"a JPEG XL", "", begins("\xff\x0a", "\x00\x00\x00\x0cJXL \r\n\x87\n")},
	{"a JPEG 2000", "", begins("\x00\x00\x00\x0cjP  \r\n\x87\n", "\xff\x4f\xff\x51")},
	{"a picture of Photoshop", "", begins("8BPS")},
	{"an OpenEXR picture", "", begins("\x76\x2f\x31\x01")},
	{"an icon of Windows", "", matches(`^\x00\x00[\x01\x02]\x00[^\x00]\x00`)},
	{"a NumPy array (.npy)", "", begins("\x93NUMPY")},
	{"a film", "", isFilm},
	{"a sound", "", isSound},
}

// matches returns a test for files whose first bytes match a pattern, in which \xHH is a byte.
func matches(pattern string) func([]byte) bool {
	re := regexp.MustCompile(pattern)
	return func(head []byte) bool { return re.Match(latin(head)) }
}

// latin returns bytes as text in UTF-8, a character for each: regexp reads no other bytes.
func latin(head []byte) []byte {
	var b strings.Builder
	for _, c := range head {
		b.WriteRune(rune(c))
	}
	return []byte(b.String())
}

// isSafetensors reports whether a length and a JSON object begin the file.
func isSafetensors(head []byte) bool {
	if len(head) < 9 || head[8] != '{' {
		return false
	}
	n := binary.LittleEndian.Uint64(head)
	return n >= 2 && n < 1<<27
}

// isTorch reports whether a file begins as those of torch.save do: with a zip of data.pkl, or with
// the pickle of a magic number.
func isTorch(head []byte) bool {
	return zipOf(`(^|/)(data\.pkl|byteorder|\.format_version|\.data/serialization_id|code/)`)(head) ||
		begins("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P")(head)
}

// isPickle reports whether a file is a pickle of protocol 2 or later: a frame, or a first operation
// that makes a container, a class or a string.
func isPickle(head []byte) bool {
	if len(head) < 3 || head[0] != 0x80 || head[1] < 2 || head[1] > 5 {
		return false
	}
	return strings.IndexByte("\x95}](ctX\x8a\x8cKJMUN\x88\x89\x8f)GCV", head[2]) >= 0
}

// isONNX reports whether a file has the first fields of a model of ONNX: a version, and the name of
// a program.
func isONNX(head []byte) bool {
	if len(head) < 5 || head[0] != 0x08 || head[1] == 0 || head[1] > 32 || head[2] != 0x12 {
		return false
	}
	n := int(head[3])
	if n == 0 || n > 64 || len(head) < 4+n {
		return false
	}
	return isPlain(head[4 : 4+n])
}

// zipOf returns a test for zips whose first file has a name that matches a pattern.
func zipOf(pattern string) func([]byte) bool {
	re := regexp.MustCompile(pattern)
	return func(head []byte) bool {
		if len(head) < 30 || !bytes.HasPrefix(head, []byte("PK\x03\x04")) {
			return false
		}
		n := int(binary.LittleEndian.Uint16(head[26:]))
		return re.Match(head[30:min(30+n, len(head))])
	}
}

// isTar reports whether a file begins with the header of a tar archive, whose magic old archives do
// not have: the checksum tells.
func isTar(head []byte) bool {
	if len(head) < 512 || head[0] == 0 {
		return false
	}
	if bytes.HasPrefix(head[257:], []byte("ustar")) {
		return true
	}
	text := strings.Trim(string(head[148:156]), " \x00")
	want, err := strconv.ParseInt(text, 8, 32)
	sum := int64(8 * ' ') // the checksum counts as spaces in itself
	for i, c := range head[:512] {
		if i < 148 || i >= 156 {
			sum += int64(c)
		}
	}
	return err == nil && sum == want
}

// isBrand returns a test for files of the family of MP4 with one of some brands.
func isBrand(brands ...string) func([]byte) bool {
	return both(holds(4, "ftyp"), holds(8, brands...))
}

// isFilm reports whether a file is a film in a usual container.
func isFilm(head []byte) bool {
	return holds(4, "ftyp", "moov")(head) || begins("\x1a\x45\xdf\xa3", "FLV\x01", "\x00\x00\x01\xba")(head) ||
		both(begins("RIFF"), holds(8, "AVI "))(head)
}

// isSound reports whether a file is a sound in a usual format.
func isSound(head []byte) bool {
	return begins("ID3", "OggS", "fLaC", "\xff\xfb", "\xff\xf3")(head) || both(begins("RIFF"), holds(8, "WAVE"))(head)
}
