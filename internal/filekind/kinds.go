package filekind

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/bits"
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

	savez  = "save its arrays with numpy.savez as images and labels"
	asFile = "save its images as files, a folder for each class"
)

// broken are files whose bytes did not arrive.
var broken = []kind{
	{what: "an empty file", cure: again, is: func(head []byte) bool { return len(head) == 0 }},
	{what: "all zeros at its beginning, as a download that broke off leaves it", cure: again, is: func(head []byte) bool {
		return len(head) >= 8 && len(bytes.Trim(head, "\x00")) == 0
	}},
	{what: "the answer of a web server with its header, not the file alone", cure: again, is: begins("HTTP/1.", "HTTP/2")},
}

// pointers stand for a file that is elsewhere.
var pointers = []kind{
	{what: "a pointer of Git LFS, not the file", cure: "run git lfs pull",
		is: begins("version https://git-lfs.github.com/spec/", "version https://hawser.github.com/spec/")},
	{what: "a pointer of Xet, not the file", cure: "run git xet pull, or download it with the hub's own program",
		is: begins("# xet version")},
	{what: "a pointer of git-annex, not the file", cure: "run git annex get on it", is: matches(`^(/|(\.\./)*\.git/)annex/objects/`)},
	{what: "a pointer of DVC, not the file", cure: "run dvc pull", is: matches(`^(md5: |outs:\r?\n *-? *(md5|hash|etag|size))`)},
	{what: "what macOS keeps beside a file (AppleDouble), not the file", cure: "name the one without ._ before its name",
		is: begins("\x00\x05\x16\x07", "\x00\x05\x16\x00")},
	{what: "a shortcut of Windows, not the file", cure: "name the file that it leads to", is: begins("L\x00\x00\x00\x01\x14\x02\x00")},
	{what: "an Internet shortcut, not the file", cure: "download the file that it leads to", is: begins("[InternetShortcut]")},
	{what: "an alias of macOS, not the file", cure: "name the file that it leads to", is: begins("book\x00\x00\x00\x00mark")},
}

// models are the formats of weights.
var models = []kind{
	{what: Safetensors, is: isSafetensors, data: savez},
	{what: Torch, cure: torch, is: isTorch, data: "load it with torch.load and " + savez,
		ends: []string{".pt", ".pth", ".ckpt"}},
	{what: "a pickle of Python", cure: "write its content as safetensors, pictures or .npy in Python", is: isPickle,
		data: "load it in Python and " + savez, ends: []string{".pkl", ".pickle", ".joblib"}},
	{what: "a model of GGUF", cure: convert, is: begins("GGUF")},
	{what: "a model of GGML", cure: convert, is: begins("lmgg", "ggml", "tjgg", "fmgg")},
	{what: "a model of ONNX", cure: convert, is: isONNX},
	{what: "a model of TensorFlow Lite", cure: convert, is: holds(4, "TFL3")},
	{what: "a file of HDF5", cure: "write its content as safetensors, pictures or .npy, in Python with h5py",
		is: begins("\x89HDF\r\n\x1a\n"), data: "load it with h5py and " + savez, ends: []string{".h5", ".hdf5", ".he5"}},
}

// archives are files of files, and compressed files.
var archives = []kind{
	{what: "an .npz, a zip of NumPy's arrays", cure: "save its arrays as .npy files", is: zipOf(`\.npy$`),
		read: []string{".npz"}},
	{what: "a model of Keras", cure: convert, is: zipOf(`^(metadata\.json|model\.weights\.h5|config\.json)$`)},
	{what: "a document of an office program", is: zipOf(`^(\[Content_Types\]\.xml|mimetype|_rels/)`),
		data: "save a table as CSV, and pictures as files", ends: []string{".xlsx", ".xls", ".ods"}},
	{what: "a program of Java or Android", is: zipOf(`^(META-INF/|AndroidManifest\.xml)`)},
	{what: Zip, cure: unpack, is: begins("PK\x03\x04", "PK\x05\x06"), vague: true},
	{what: "a part of a zip of several parts", cure: "unpack all of its parts together", is: begins("PK\x07\x08", "PK00PK")},
	{what: "a gzip", cure: unpack, is: begins("\x1f\x8b"), vague: true},
	{what: "compressed by zstd", cure: unpack, is: begins("\x28\xb5\x2f\xfd"), data: unpack + " with zstd -d", vague: true},
	{what: "compressed by xz", cure: unpack, is: begins("\xfd7zXZ\x00"), data: unpack + " with xz -d", vague: true},
	{what: "compressed by bzip2", cure: unpack, is: matches(`^BZh[1-9](1AY&SY|\x17rE8P\x90)`), vague: true},
	{what: "compressed by lz4", cure: unpack, is: begins("\x04\x22\x4d\x18", "\x02\x21\x4c\x18")},
	{what: "compressed by lzip", cure: unpack, is: begins("LZIP\x01")},
	{what: "compressed by compress", cure: unpack, is: begins("\x1f\x9d")},
	{what: "a 7z archive", cure: unpack, is: begins("7z\xbc\xaf\x27\x1c")},
	{what: "a RAR archive", cure: unpack, is: begins("Rar!\x1a\x07")},
	{what: "a tar archive", cure: unpack, is: isTar},
	{what: "a cabinet of Windows", cure: unpack, is: begins("MSCF\x00\x00\x00\x00")},
	{what: "an archive of ar, such as a .deb", cure: unpack, is: begins("!<arch>\n")},
}

// documents are files of other programs.
var documents = []kind{
	{what: "a PDF", is: begins("%PDF-")},
	{what: "a PostScript file", is: begins("%!PS", "\xc5\xd0\xd3\xc6")},
	{what: "a document of an office program", is: begins("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "{\\rtf")},
	{what: "a Parquet file, as Hugging Face stores data", cure: "write its pictures as files, in Python with datasets",
		is: begins("PAR1", "PARE"), read: []string{".parquet", ".parq", ".pq"}},
	{what: "an Arrow file, as Hugging Face stores data", cure: "write its pictures as files, in Python with datasets",
		is:   begins("ARROW1\x00\x00", "FEA1", "\xff\xff\xff\xff\x10\x00\x00\x00"),
		data: "save it as parquet, by Dataset.to_parquet or pyarrow.parquet.write_table",
		ends: []string{".arrow", ".feather"}},
	{what: "a file of MATLAB", cure: "save its arrays as .npy files, in Python with scipy.io", is: begins("MATLAB "),
		data: "load it with scipy.io.loadmat and " + savez, ends: []string{".mat"}},
	{what: "an IDX file, as MNIST has", is: isIDX,
		data: "images are read from a file called like train-images-idx3-ubyte, labels from one like train-labels-idx1-ubyte"},
	{what: "a file of TensorFlow's records", cure: convert, is: isRecords,
		data: "read it with tensorflow_datasets, and save pictures as files or arrays with numpy.savez",
		ends: []string{".tfrecord", ".tfrecords"}},
	{what: "a database of LMDB", is: holds(16, "\xde\xc0\xef\xbe"), data: asFile, ends: []string{".mdb", ".lmdb"}},
	{what: "a file of FFCV", is: never, data: savez, ends: []string{".beton"}},
	{what: "a file of MXNet's records", is: begins("\x0a\x23\xd7\xce"), data: asFile, ends: []string{".rec"}},
	{what: "MessagePack", is: never, data: savez, ends: []string{".msgpack", ".ubj"}},
	{what: "data of R", is: begins("RDX2\n", "RDX3\n"), data: "write it as CSV of pixels", ends: []string{".rds", ".rda", ".rdata"}},
	{what: "a volume of NIfTI", is: holds(344, "n+1\x00"), data: "save its slices as PNG", ends: []string{".nii"}},
	{what: "a file of Avro", is: begins("Obj\x01"), data: "save it as parquet", ends: []string{".avro"}},
	{what: "a file of ORC", is: never, data: "save it as parquet", ends: []string{".orc"}},
	{what: "lines of JSON, as Quick, Draw! has its drawings", is: never,
		data: "take its .npy files instead, or draw them as pictures", ends: []string{".ndjson"}},
	{what: "a database of SQLite", is: begins("SQLite format 3\x00"), data: asFile},
	{what: "a program of Linux", is: begins("\x7fELF")},
	{what: "a program of macOS", is: begins("\xcf\xfa\xed\xfe", "\xce\xfa\xed\xfe", "\xca\xfe\xba\xbe")},
	{what: "a program of Windows", is: both(begins("MZ"), func(head []byte) bool { return bytes.Contains(head, []byte("PE\x00\x00")) })},
	{what: "a property list of macOS", is: begins("bplist00")},
	{what: "a font", is: begins("\x00\x01\x00\x00\x00", "OTTO\x00", "wOFF", "wOF2", "ttcf\x00")},
}

// pictures are pictures, and what else people see and hear.
var pictures = []kind{
	{what: "a PNG", is: begins("\x89PNG\r\n\x1a\n")},
	{what: "a JPEG", is: begins("\xff\xd8\xff")},
	{what: "a GIF", is: begins("GIF87a", "GIF89a")},
	{what: "a WebP", is: both(begins("RIFF"), holds(8, "WEBP"))},
	{what: "a TIFF", is: begins("II*\x00", "MM\x00*", "II+\x00", "MM\x00+")},
	{what: "a BMP", is: both(begins("BM"), holds(6, "\x00\x00\x00\x00"))},
	{what: "an AVIF", is: isBrand("avif", "avis")},
	{what: "a HEIC", is: isBrand("heic", "heix", "heim", "heis", "hevc", "mif1", "msf1")},
	{what: "a JPEG XL", is: begins("\xff\x0a", "\x00\x00\x00\x0cJXL \r\n\x87\n")},
	{what: "a JPEG 2000", is: begins("\x00\x00\x00\x0cjP  \r\n\x87\n", "\xff\x4f\xff\x51")},
	{what: "a picture of Photoshop", is: begins("8BPS")},
	{what: "an OpenEXR picture", is: begins("\x76\x2f\x31\x01")},
	{what: "an icon of Windows", is: matches(`^\x00\x00[\x01\x02]\x00[^\x00]\x00`)},
	{what: "a NumPy array (.npy)", is: begins("\x93NUMPY"), read: []string{".npy"}},
	{what: "a film", is: isFilm},
	{what: "a sound", is: isSound},
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

// never is the test for a kind that only its name tells.
func never([]byte) bool { return false }

// isIDX reports whether a file begins as IDX does: two zeros, a type and 1 to 4 dimensions.
func isIDX(head []byte) bool {
	return len(head) >= 8 && head[0] == 0 && head[1] == 0 && strings.IndexByte("\x08\x09\x0b\x0c\x0d\x0e", head[2]) >= 0 &&
		head[3] >= 1 && head[3] <= 4
}

// castagnoli is the polynomial of the checksums in TensorFlow's records.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// isRecords reports whether a file begins with a record of TensorFlow: its length, and a checksum
// of that, which is turned and moved.
func isRecords(head []byte) bool {
	if len(head) < 12 {
		return false
	}
	sum := crc32.Checksum(head[:8], castagnoli)
	return binary.LittleEndian.Uint32(head[8:]) == bits.RotateLeft32(sum, -15)+0xa282ead8
}
