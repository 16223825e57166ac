package model

import (
	"strings"
	"testing"
)

// Opening a model fails when it predicts something that this program does not know.
func TestUnknownPrediction(t *testing.T) {
	for want, m := range map[string]Meta{
		`unknown path "spiral"`:     {Path: "spiral"},
		`unknown objective "score"`: {Objective: "score"},
	} {
		m.PixelRange = [2]float64{-1, 1}
		_, err := parseMeta(map[string]string{MetaKey: m.text()})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("read: %v", err)
		}
	}
}
