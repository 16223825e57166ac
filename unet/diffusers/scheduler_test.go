package diffusers

import (
	"reflect"
	"strings"
	"testing"
)

// Schedulers that a path of fmimg stands for say what was trained, by their defaults too.
func TestParseScheduler(t *testing.T) {
	ddpm := Training{Times: [2]float64{999, -1}, Path: "vp(0.1,20)", Predicts: "noise"}
	for text, want := range map[string]Training{
		`{"_class_name": "DDPMScheduler", "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear", "clip_sample": true}`:                          ddpm,
		`{"_class_name": "PNDMScheduler", "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear", "prediction_type": "epsilon", "unknown": [1]}`: ddpm,
		`{"_class_name": "DDIMScheduler", "trained_betas": null, "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear"}`:                        ddpm,
		`{"_class_name": "DDIMScheduler", "num_train_timesteps": 100, "beta_schedule": "linear", "beta_start": 0.001, "beta_end": 0.2, "prediction_type": "sample"}`: {
			Times: [2]float64{99, -1}, Path: "vp(0.1,20)", Predicts: "data"},
		`{"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3}`: {
			Times: [2]float64{1000, 0}, Path: "linear", Predicts: "velocity"},
	} {
		if got, err := ParseScheduler([]byte(text)); err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

// What has no path here is told by its key.
func TestParseSchedulerRefuses(t *testing.T) {
	for change, want := range map[string]string{
		`"prediction_type": "v_prediction"`:    "prediction_type v_prediction",
		`"predict_epsilon": false`:             "predict_epsilon",
		`"beta_schedule": "squaredcos_cap_v2"`: "beta_schedule squaredcos_cap_v2",
		`"beta_schedule": null`:                "DDPMScheduler without beta_start",
		`"trained_betas": [0.1, 0.2]`:          "trained_betas",
		`"rescale_betas_zero_snr": true`:       "rescale_betas_zero_snr",
		`"beta_end": 0.00001`:                  "beta_start 0.0001 and beta_end 1e-05",
		`"beta_start": 0`:                      "beta_start 0",
		`"num_train_timesteps": 0`:             "num_train_timesteps 0",
		`"num_train_timesteps": 100000000`:     "num_train_timesteps 100000000",
		`"beta_start": "0.1"`:                  "cannot unmarshal",
		`"_class_name": "FlowMatchEulerDiscreteScheduler", "invert_sigmas": true`: "invert_sigmas",
	} {
		text := `{"_class_name": "DDPMScheduler", "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear", ` + change + `}`
		if _, err := ParseScheduler([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", change, err, want)
		}
	}
	edm := `{"_class_name": "EDMEulerScheduler", "num_train_timesteps": 1000, "prediction_type": "epsilon"}`
	if got, err := ParseScheduler([]byte(edm)); err == nil {
		t.Errorf("a scheduler of another kind: %+v", got)
	}
}
