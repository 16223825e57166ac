package diffusers

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A scheduler is a scheduler_config.json: how a network of diffusers was trained, for those keys
// that matter here. Schedulers of one training differ in how they draw alone. Those of other kinds
// of diffusion have no betas.
type scheduler struct {
	ClassName      string    `json:"_class_name"`
	Timesteps      int       `json:"num_train_timesteps"`
	BetaStart      *float64  `json:"beta_start"`
	BetaEnd        *float64  `json:"beta_end"`
	BetaSchedule   *string   `json:"beta_schedule"`
	TrainedBetas   []float64 `json:"trained_betas"`
	PredictionType string    `json:"prediction_type"` // old files have none
	PredictEpsilon *bool     `json:"predict_epsilon"` // of old files
	ZeroSNR        bool      `json:"rescale_betas_zero_snr"`
	InvertSigmas   bool      `json:"invert_sigmas"`
}

// mostTimesteps bounds what a configuration may claim.
const mostTimesteps = 1 << 24

// ParseScheduler reads a scheduler_config.json, and says what its network predicts and when. The
// error says what of it fmimg has no path or prediction for.
//
// The discrete times of diffusion models are those of a path: timestep k has the noise of k+1 steps
// of N, so N−1 is noise and −1 would be the image. Their β from start to end, which rises linearly,
// is the path vp(N·start,N·end).
func ParseScheduler(text []byte) (*Training, error) {
	s := scheduler{Timesteps: 1000, PredictionType: "epsilon"}
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	n := float64(s.Timesteps)
	if s.Timesteps < 1 || s.Timesteps > mostTimesteps {
		return nil, fmt.Errorf("num_train_timesteps %d: between 1 and %d", s.Timesteps, mostTimesteps)
	}
	if strings.HasPrefix(s.ClassName, "FlowMatch") {
		if s.InvertSigmas {
			return nil, fmt.Errorf("invert_sigmas: its times rise from noise to images")
		}
		return &Training{Times: [2]float64{n, 0}, Path: "linear", Predicts: "velocity"}, nil
	}
	return s.diffusion()
}

// diffusion is ParseScheduler for noise that is added at a rate of β.
func (s *scheduler) diffusion() (*Training, error) {
	if s.BetaStart == nil || s.BetaEnd == nil || s.BetaSchedule == nil {
		return nil, fmt.Errorf("%.60s without beta_start, beta_end or beta_schedule: its noise has no path here", s.ClassName)
	}
	n, start, end := float64(s.Timesteps), *s.BetaStart, *s.BetaEnd
	predicts, ok := map[string]string{"epsilon": "noise", "sample": "data"}[s.PredictionType]
	switch {
	case !ok:
		return nil, fmt.Errorf("prediction_type %.40s: neither noise nor data", s.PredictionType)
	case s.PredictEpsilon != nil && !*s.PredictEpsilon:
		return nil, fmt.Errorf("predict_epsilon is false: what it predicts in place of noise is not said")
	case *s.BetaSchedule != "linear":
		return nil, fmt.Errorf("beta_schedule %.40s: only linear is a path here", *s.BetaSchedule)
	case len(s.TrainedBetas) > 0:
		return nil, fmt.Errorf("trained_betas: only a linear beta_schedule is a path here")
	case s.ZeroSNR:
		return nil, fmt.Errorf("rescale_betas_zero_snr: only a linear beta_schedule is a path here")
	case !(start > 0 && start <= end && end < 1):
		return nil, fmt.Errorf("beta_start %v and beta_end %v: numbers above 0 and below 1 that do not fall are needed", start, end)
	}
	// 12 digits, so that a product of decimals is 0.1 and not 0.10000000000000001.
	path := fmt.Sprintf("vp(%.12g,%.12g)", n*start, n*end)
	return &Training{Times: [2]float64{n - 1, -1}, Path: path, Predicts: predicts}, nil
}
