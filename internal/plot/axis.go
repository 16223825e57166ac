package plot

import (
	"math"
	"slices"
	"strconv"
)

// An axis maps the values from low to high to pixels by their logarithm.
type axis struct {
	low, high float64 // above 0
	from, to  int     // their pixels
	ticks     []float64
}

// pixel returns the place of a value.
func (a axis) pixel(v float64) int {
	share := math.Log(v/a.low) / math.Log(a.high/a.low)
	return a.from + int(math.Round(share*float64(a.to-a.from)))
}

// margin is the part of an axis that lies beyond the measured values on either side.
const margin = 0.06

// measuredAxis has a tick at each measured value, and some room on both sides.
func measuredAxis(values []float64, from, to int) axis {
	ticks := slices.Compact(slices.Sorted(slices.Values(values)))
	low, high := ticks[0], ticks[len(ticks)-1]
	room := 2.0 // for one value, which has no range
	if high > low {
		room = math.Pow(high/low, margin)
	}
	return axis{low: low / room, high: high * room, from: from, to: to, ticks: ticks}
}

// mostTicks is the number of round values that an axis shows. When there are more, it shows powers
// of ten alone.
const mostTicks = 10

// roundAxis reaches from the round value below the lowest to the one above the highest, with ticks
// at round values.
func roundAxis(values []float64, from, to int) axis {
	low, high := slices.Min(values), slices.Max(values)
	ticks := roundValues(low, high, 1, 2, 5)
	if len(ticks) > mostTicks {
		ticks = roundValues(low, high, 1)
	}
	return axis{low: ticks[0], high: ticks[len(ticks)-1], from: from, to: to, ticks: ticks}
}

// roundValues returns powers of ten times the given digits. There are at least two, and they
// enclose low and high.
func roundValues(low, high float64, digits ...float64) []float64 {
	var all []float64
	for k := math.Floor(math.Log10(low)) - 1; k <= math.Ceil(math.Log10(high))+1; k++ {
		for _, digit := range digits {
			all = append(all, digit*math.Pow(10, k))
		}
	}
	first, last := 0, len(all)-1
	for all[first+1] <= low {
		first++
	}
	for all[last-1] >= high && last-1 > first {
		last--
	}
	return all[first : last+1]
}

// label spells the value of a tick by three digits or more.
func label(v float64) string {
	digits := max(2-int(math.Floor(math.Log10(v))), 0) // behind the point
	scale := math.Pow(10, float64(digits))
	return strconv.FormatFloat(math.Round(v*scale)/scale, 'f', -1, 64)
}
