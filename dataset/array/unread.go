package array

import (
	"bytes"
	"path"
	"strings"
)

// A format is one that is known and not read.
type format struct {
	ends  []string
	magic []string // what a file may begin with
	what  string
	cure  string
}

const savez = "save its arrays with numpy.savez as images and labels"

// formats are recognised by their endings or first bytes, the first one that fits.
var formats = []format{
	{[]string{".h5", ".hdf5", ".he5"}, []string{"\x89HDF\r\n\x1a\n"}, "HDF5", savez},
	{[]string{".mat"}, []string{"MATLAB 5.0 MAT-file", "MATLAB 7.3 MAT-file"}, "MATLAB's format",
		"load it with scipy.io.loadmat and " + savez},
	{[]string{".tfrecord", ".tfrecords"}, nil, "TensorFlow's records", "read them with tensorflow_datasets and save pictures, or " + savez},
	{[]string{".mdb", ".lmdb"}, nil, "an LMDB database", "save its images as files, a folder for each class"},
	{[]string{".arrow", ".feather"}, []string{"ARROW1", "FEA1"}, "Arrow's format",
		"save it as parquet, by Dataset.to_parquet or pyarrow.parquet.write_table"},
	{[]string{".pt", ".pth"}, nil, "a file of PyTorch", "load it with torch.load and " + savez},
	{[]string{".tar.zst", ".zst"}, []string{"\x28\xb5\x2f\xfd"}, "compressed by Zstandard", "unpack it with zstd -d"},
	{[]string{".xz"}, []string{"\xfd7zXZ\x00"}, "compressed by xz", "unpack it with xz -d"},
	{[]string{".beton"}, nil, "a file of FFCV", savez},
	{[]string{".rec"}, nil, "records of MXNet", "save their images as files, a folder for each class"},
	{[]string{".ubj", ".msgpack"}, nil, "MessagePack", savez},
	{[]string{".pkl", ".pickle", ".joblib"}, nil, "a pickle of Python", "load it in Python and " + savez},
}

// Unreadable says what a file is, by its name and first bytes, where its format has arrays or
// images and is not read, and what to do. Both are empty for other files.
func Unreadable(name string, head []byte) (what, cure string) {
	lower := strings.ToLower(path.Base(name))
	if ofSystem(name) {
		return "", ""
	}
	for _, f := range formats {
		for _, magic := range f.magic {
			if bytes.HasPrefix(head, []byte(magic)) {
				return f.what, f.cure
			}
		}
	}
	for _, f := range formats {
		for _, end := range f.ends {
			if strings.HasSuffix(lower, end) {
				return f.what, f.cure
			}
		}
	}
	return "", ""
}
