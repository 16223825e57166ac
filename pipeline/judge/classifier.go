package judge

import (
	"context"

	"github.com/fmimg/fmimg/internal/crew"
	"github.com/fmimg/fmimg/metrics"
	"github.com/fmimg/fmimg/pipeline/classify"
)

// A Classifier is a judge that is a network of package classify. Its features are the input of the
// network's last layer. A network that was not trained to find classes may be one too.
type Classifier struct {
	Title   string // the judge's name
	Network *classify.Network
}

// Name implements [Judge].
func (c *Classifier) Name() string { return c.Title }

// Shape implements [Judge].
func (c *Classifier) Shape() (h, w, channels int) { return c.Network.Shape() }

// Features implements [Judge].
func (c *Classifier) Features(ctx context.Context, on *crew.Crew, images Images) (metrics.Features, error) {
	found, err := c.Classify(ctx, on, images)
	if err != nil {
		return metrics.Features{}, err
	}
	return found.Features, nil
}

// Classify finds the classes of images beside their features.
func (c *Classifier) Classify(ctx context.Context, on *crew.Crew, images Images) (*classify.Classification, error) {
	return classify.ClassifyOn(ctx, on, c.Network, images.Len(), func(i int, dst []float32) { images.Image(i, dst) })
}
