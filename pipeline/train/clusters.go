package train

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/fmimg/fmimg/cluster"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/models"
	"github.com/fmimg/fmimg/pipeline/model"
)

// clustersSuit returns the labels that n images without any should have by default: clusters, or ""
// where the options leave no room for classes, and where there are too few images.
func (o *Options) clustersSuit(n int) string {
	count := dataset.ClustersFor(n)
	if count == 0 || o.Labels != "" || o.Resume || o.Init != "" && o.Init != models.Pictures ||
		o.Conditional == ConditionalNo || o.Objective == model.FlowObjective {
		return ""
	}
	return fmt.Sprintf("%s:%d", dataset.ClusterLabels, count)
}

// label gives data without labels the classes that it should have by default.
func (o *Options) label(ctx context.Context, set *dataset.Set) error {
	if len(set.Train.Classes()) > 0 {
		return nil
	}
	labels := o.clustersSuit(set.Train.Len())
	if labels == "" {
		return nil
	}
	o.Labels = labels
	err := o.DataOptions.Label(ctx, set, o.Reader())
	if err == nil && set.Clusters != nil {
		set.Notes = append(set.Notes, option.Say("the images have no labels of their own (%v trains without clusters)",
			option.Setting{Option: "labels", Value: dataset.NoLabels}))
	}
	return err
}

// settleClusters records the clusters of a set that was opened: what clusters asks for as a number,
// and none where there are too few images.
func (o *Options) settleClusters(set *dataset.Set) {
	if !o.ClusterLabels() {
		return
	}
	if o.Clusters = set.Clusters; o.Clusters == nil {
		o.Labels = dataset.NoLabels
	} else if o.Labels == dataset.ClusterLabels {
		o.Labels = fmt.Sprintf("%s:%d", dataset.ClusterLabels, o.Clusters.Count())
	}
}

// validateClusters refuses clusters for a network that takes no classes.
func (o *Options) validateClusters() error {
	switch {
	case !o.ClusterLabels():
	case o.Objective == model.FlowObjective:
		return option.Errorf("labels", o.Labels, "a normalizing flow (objective %s) takes no class: leave it out",
			model.FlowObjective)
	case o.Conditional == ConditionalNo:
		return option.Errorf("labels", o.Labels, "it makes classes, and with conditional no the network takes none: "+
			"leave one of the two out")
	}
	return nil
}

// sameClusters takes over what a resumed run recorded, where the caller asks for the same in other
// words.
func sameClusters(recorded, given *Options) {
	few := recorded.Labels == dataset.NoLabels // there were too few pictures for clusters
	if given.ClusterLabels() && few || given.Labels == dataset.ClusterLabels && recorded.ClusterLabels() {
		given.Labels = recorded.Labels
	}
}

// recallClusters reads the clusters of a resumed run from its model. A run that has saved no model
// is at its first step: it finds the same clusters once more.
func (r *training) recallClusters() error {
	if !r.options.ClusterLabels() {
		return nil
	}
	var meta model.Meta
	var err error
	if r.Leads() {
		meta, err = model.ReadMeta(r.Dir.File(model.File))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err != nil:
		err = fmt.Errorf("resume: the clusters of %s: %w", r.Dir.File(model.File), err)
	}
	if err := r.Settings.Agree(err); err != nil {
		return err
	}
	r.options.Clusters = meta.Clusters
	return cluster.BroadcastValue(r.Settings.Ranks, 0, &r.options.Clusters)
}
