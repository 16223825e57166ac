package pipeline

type DistillOptions struct{ RunOptions }

func (o *DistillOptions) fillDefaults() {}
