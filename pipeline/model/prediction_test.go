package model

import (
	"strings"
	"testing"
)

// A model that predicts what this program does not know is refused when it is opened.
func TestUnknownPrediction(t *testing.T) {
	for want, m := range map[string]Meta{`unknown path "spiral"`: {Path: "spiral"}, `unknown objective "score"`: {Objective: "score"}} {
		m.PixelRange = [2]float64{-1, 1}
		if _, err := parseMeta(map[string]string{MetaKey: m.text()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("read: %v", err)
		}
	}
}
