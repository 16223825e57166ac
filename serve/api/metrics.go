package api

import (
	"fmt"
	"net/http"
	"time"

	prometheus "github.com/VictoriaMetrics/metrics"

	"github.com/fmimg/fmimg/serve/draw"
)

// metrics count what the server does, for Prometheus.
type metrics struct {
	set     *prometheus.Set
	seconds *prometheus.PrometheusHistogram
}

// imageSeconds are the bounds of the histogram: from a small image by few steps to a large one by
// many.
var imageSeconds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}

// newMetrics returns counters that stand at zero, and gauges of the drawer.
func newMetrics(d draw.Drawer) *metrics {
	m := &metrics{set: prometheus.NewSet()}
	m.seconds = m.set.NewPrometheusHistogramExt("fmimg_image_seconds", imageSeconds)
	for name, of := range map[string]func(draw.Stats) float64{
		"fmimg_queue_images":       func(s draw.Stats) float64 { return float64(s.Waiting) },
		"fmimg_images_total":       func(s draw.Stats) float64 { return float64(s.Images) },
		"fmimg_evaluations_total":  func(s draw.Stats) float64 { return float64(s.Evaluations) },
		"fmimg_busy_seconds_total": func(s draw.Stats) float64 { return s.Busy.Seconds() },
		"fmimg_models_loaded":      func(s draw.Stats) float64 { return float64(s.Loaded) },
		"fmimg_models_bytes":       func(s draw.Stats) float64 { return float64(s.Bytes) },
	} {
		m.set.NewGauge(name, func() float64 { return of(d.Stats()) })
	}
	return m
}

// drawn counts the images of a request: the seconds from its arrival to its end, for each image.
func (m *metrics) drawn(images int, took time.Duration) {
	for range images {
		m.seconds.Update(took.Seconds() / float64(images))
	}
}

// serve answers GET /metrics: these counters, and what the process takes (memory, files,
// goroutines).
func (m *metrics) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	m.set.WritePrometheus(w)
	prometheus.WriteProcessMetrics(w)
}

// Count returns next with its requests counted, by the pattern of the route and the status.
func (a *API) Count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &statusWriter{ResponseWriter: w}
		defer func() {
			route := r.Pattern
			if route == "" {
				route = "other"
			}
			name := fmt.Sprintf("fmimg_requests_total{route=%q,code=\"%d\"}", route, max(seen.status, http.StatusOK))
			a.metrics.set.GetOrCreateCounter(name).Inc()
		}()
		next.ServeHTTP(seen, r)
	})
}

// A statusWriter remembers the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int // 0: not sent yet
}

// WriteHeader implements [http.ResponseWriter].
func (s *statusWriter) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
