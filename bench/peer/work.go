package main

import (
	"fmt"
	"strconv"
	"strings"
)

// A work is what is trained on and drawn: square images, in batches.
type work struct {
	Side     int `json:"side"` // pixels
	Channels int `json:"channels"`
	Batch    int `json:"batch"`
}

// colours are the names of fmimg for images of 1 and of 3 channels.
var colours = map[int]string{1: "gray", 3: "rgb"}

// parseWorks reads a list such as 28-gray-128,64-rgb-64.
func parseWorks(list string) ([]work, error) {
	var works []work
	for text := range strings.SplitSeq(list, ",") {
		w, ok := parseWork(strings.TrimSpace(text))
		if !ok {
			return nil, fmt.Errorf("-work %s: the side, gray or rgb, and the batch are needed, such as 64-rgb-32; "+
				"sides are multiples of 4", list)
		}
		works = append(works, w)
	}
	return works, nil
}

func parseWork(text string) (w work, ok bool) {
	parts := strings.Split(text, "-")
	if len(parts) != 3 {
		return w, false
	}
	for channels, name := range colours {
		if parts[1] == name {
			w.Channels = channels
		}
	}
	side, err1 := strconv.Atoi(parts[0])
	batch, err2 := strconv.Atoi(parts[2])
	w.Side, w.Batch = side, batch
	return w, err1 == nil && err2 == nil && side > 0 && side%4 == 0 && batch > 0 && w.Channels > 0
}

func (w work) String() string {
	return fmt.Sprintf("%dx%d %s, batch %d", w.Side, w.Side, colours[w.Channels], w.Batch)
}
