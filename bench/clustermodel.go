package bench

// A Link is what a message between two ranks costs.
type Link struct {
	// Latency is the time of an exchange of 8 bytes, in seconds.
	Latency float64 `json:"latency_s"`
	// Bandwidth is bytes per second in each direction of an exchange, for messages of a gradient.
	Bandwidth float64 `json:"bytes_per_s"`
}

// seconds returns the time of a number of exchanges, of so many bytes in each direction together.
func (l Link) seconds(exchanges, bytes float64) float64 {
	return exchanges*l.Latency + bytes/l.Bandwidth
}

// Costs are what the work of a step costs one rank with its threads, in seconds.
type Costs struct {
	// MicroBatch is the number of images of a micro-batch. In a wave each thread takes one.
	MicroBatch int     `json:"micro_batch"`
	Wave       float64 `json:"wave_s"`
	// Tail is what a step takes after its waves: sums, norm, optimiser, averages, packing. Repack
	// is the part of it that each rank does whole; the others are cut over ranks.
	Tail   float64 `json:"tail_s"`
	Repack float64 `json:"repack_s"`
	// Largest is the share of the largest tensor among the parameters, which is not cut.
	Largest float64 `json:"largest_tensor"`
	// Pair is what it takes to pair an image with its noise, which is cut over ranks.
	Pair float64 `json:"pair_s"`
}

// step returns the time of a step without pairing on a number of ranks, without what they pass on.
// The slowest rank counts.
func (c Costs) step(ranks, threads, batch int) float64 {
	micros := ceilDiv(batch, c.MicroBatch)
	waves := ceilDiv(ceilDiv(micros, ranks), threads)
	cut := max(1/float64(ranks), c.Largest)
	return float64(waves)*c.Wave + c.Repack + cut*(c.Tail-c.Repack)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// What pipeline/engine does: it passes a share of values on in parts, at most mostParts of them, of
// at least leastPart numbers.
const (
	mostParts = 4
	leastPart = 1 << 16
)

// passing returns how long a step waits for what ranks pass on to each other. A rank exchanges with
// each other one three times: the sums of its micro-batches, which are there when it has computed
// them all; a few numbers about the step; and the parts of its share of the new values, while it
// steps the next part. optimizer is the time that one rank takes to step all.
func (c Costs) passing(ranks, parameters int, link Link, optimizer float64) float64 {
	if ranks == 1 {
		return 0
	}
	others, share := float64(ranks-1), float64(parameters)/float64(ranks)
	bytes := 4 * share * others
	sums := link.seconds(others, bytes)
	records := link.seconds(others, 0)
	parts := max(1, min(mostParts, float64(int(share)/leastPart)))
	values := link.seconds(others*parts, bytes)
	hidden := min(values, optimizer/float64(ranks)) * (1 - 1/parts)
	return sums + records + values - hidden
}

// A Projection is what the model says of a step on many ranks, each a machine like a rank of the
// measurement, connected by a network.
type Projection struct {
	Gbits float64 `json:"gbit_per_s"`
	Ranks int     `json:"ranks"`
	Batch int     `json:"batch"`
	// Step is the time of a step in seconds, with the pairing of images and noises. Passing is what
	// of it the ranks wait for each other.
	Step    float64 `json:"step_s"`
	Passing float64 `json:"passing_s"`
	// Speed is the images per second over those of one rank with the same batch for each rank.
	Speed float64 `json:"speed"`
}

// The networks of projections. Of a wire, MPI moves some nine tenths. The latencies are usual ones
// of MPI: over TCP in a data centre, and over a fabric for clusters.
var networks = []struct{ gbits, latency float64 }{{10, 50e-6}, {100, 5e-6}}

const wireShare = 0.9

// mostProjected is the most ranks of a projection.
const mostProjected = 64

// project says how steps scale to many ranks: with the batch that was measured, and with as many
// images for each rank.
func (r *ClusterResult) project() []Projection {
	var all []Projection
	for _, n := range networks {
		link := Link{Latency: n.latency, Bandwidth: n.gbits * 1e9 / 8 * wireShare}
		if r.Link.Bandwidth > 0 { // no wire makes the copies of a message faster
			link.Bandwidth = min(link.Bandwidth, r.Link.Bandwidth)
		}
		for ranks := 2; ranks <= mostProjected; ranks *= 2 {
			for _, batch := range []int{r.Batch, ranks * r.Batch} {
				p := Projection{Gbits: n.gbits, Ranks: ranks, Batch: batch}
				p.Passing = r.Costs.passing(ranks, r.Parameters, link, r.Costs.Tail-r.Costs.Repack)
				p.Step = r.Costs.whole(ranks, r.Threads, batch) + p.Passing
				one := r.Costs.whole(1, r.Threads, r.Batch)
				p.Speed = float64(batch) / float64(r.Batch) * one / p.Step
				all = append(all, p)
			}
		}
	}
	return all
}

// whole returns the time of a step with its pairing, without what ranks pass on.
func (c Costs) whole(ranks, threads, batch int) float64 {
	return c.step(ranks, threads, batch) + float64(batch)/float64(ranks)*c.Pair
}
