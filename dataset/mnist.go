package dataset

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/fmimg/fmimg/dataset/array"
)

//go:embed mnist/*.gz
var mnistFiles embed.FS

const mnistSide = 28

// An mnistPart is the training or the test part of MNIST: its files with the SHA-256 of each, and
// the number of images.
type mnistPart struct {
	name                 string
	images, imagesSHA256 string
	labels, labelsSHA256 string
	count                int
}

var (
	mnistTrain = mnistPart{
		name:         "mnist/train",
		images:       "mnist/train-images-idx3-ubyte.gz",
		imagesSHA256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
		labels:       "mnist/train-labels-idx1-ubyte.gz",
		labelsSHA256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
		count:        60_000,
	}
	mnistTest = mnistPart{
		name:         "mnist/test",
		images:       "mnist/t10k-images-idx3-ubyte.gz",
		imagesSHA256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
		labels:       "mnist/t10k-labels-idx1-ubyte.gz",
		labelsSHA256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
		count:        10_000,
	}
)

var mnistClasses = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}

// Each part is decoded once, when it is first opened, and shared from then on.
var (
	mnistTrainOnce = sync.OnceValues(func() (*labelled, error) { return mnistTrain.decode(mnistFiles) })
	mnistTestOnce  = sync.OnceValues(func() (*labelled, error) { return mnistTest.decode(mnistFiles) })
)

func openMNIST() (*Set, error) {
	train, err := mnistTrainOnce()
	if err != nil {
		return nil, fmt.Errorf("data set mnist: %w", err)
	}
	test, err := mnistTestOnce()
	if err != nil {
		return nil, fmt.Errorf("data set mnist: %w", err)
	}
	return &Set{Train: train, Test: test, Format: "embedded IDX files"}, nil
}

func (p *mnistPart) decode(files fs.FS) (*labelled, error) {
	images, err := readEmbedded(files, p.images, imagesHeader, p.count*mnistSide*mnistSide)
	if err != nil {
		return nil, err
	}
	labels, err := readEmbedded(files, p.labels, labelsHeader, p.count)
	if err != nil {
		return nil, err
	}
	return newLabelled(p.name, &array.Images{
		Height: mnistSide, Width: mnistSide, Channels: 1, Pixels: images, Labels: int32s(labels),
	}, mnistClasses), nil
}

func int32s(bytes []byte) []int32 {
	numbers := make([]int32, len(bytes))
	for i, b := range bytes {
		numbers[i] = int32(b)
	}
	return numbers
}

// The bytes before the elements of an IDX array of one and of three dimensions.
const (
	labelsHeader = 8
	imagesHeader = 16
)

// readEmbedded reads the elements of an array whose header and size are known.
func readEmbedded(files fs.FS, name string, header, size int) ([]byte, error) {
	packed, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	var data []byte
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err == nil {
		data, err = readBytes(r, header+size, header+size)
	}
	if err == nil {
		var more int64
		if more, err = io.Copy(io.Discard, r); more > 0 { // to the checksum
			err = fmt.Errorf("%d bytes too many", more)
		}
	}
	if err != nil {
		// The program was built from a damaged copy, such as one whose line ends were converted.
		return nil, fmt.Errorf("embedded %s: %w; get the program again", name, err)
	}
	return data[header:], nil
}
