package array

import "testing"

func TestLabelsOf(t *testing.T) {
	for name, want := range map[string]string{
		"train-images-idx3-ubyte.gz": "train-labels-idx1-ubyte.gz", "TRAIN-IMAGES.IDX3-UBYTE": "TRAIN-LABELS.IDX1-UBYTE",
		"x_train.npy": "y_train.npy", "X.npy": "y.npy", "p.npz: train_images": "p.npz: train_labels", "images.npz: data": "images.npz: labels",
		"imagenet.npy": "", "database.npy": "", "max.npy": "", "faces.npy": "",
	} {
		if got := labelsOf(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
