package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/fmimg/fmimg/serve/draw"
	"github.com/fmimg/fmimg/serve/problem"
)

// A modelJSON is a model as clients see it. The first fields are OpenAI's.
type modelJSON struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"` // seconds since 1970
	OwnedBy string `json:"owned_by"`

	Kind        string   `json:"kind"`
	About       string   `json:"about"`
	Width       int      `json:"width"`
	Height      int      `json:"height"`
	Channels    string   `json:"channels"`
	Classes     []string `json:"classes"` // null: none
	NoClass     bool     `json:"no_class"`
	Guidance    *float64 `json:"guidance"` // null: it takes none
	Solvers     []string `json:"solvers"`
	Solver      string   `json:"solver"`
	Steps       int      `json:"steps"`
	StepChoices []int    `json:"step_choices"` // null: any
	Trajectory  bool     `json:"trajectory"`
	Edits       bool     `json:"edits"`
	Likelihood  bool     `json:"likelihood"`
	Embedded    bool     `json:"embedded"`
	Loaded      bool     `json:"loaded"`
	Hash        string   `json:"hash"`
}

// channelNames are the names of what the channels of an image hold, by their number.
var channelNames = [...]string{"", "gray", "gray-alpha", "rgb", "rgba"}

// channels returns the name of some channels; empty for an image that is not a picture.
func channels(n int) string {
	if n < 0 || n >= len(channelNames) {
		return ""
	}
	return channelNames[n]
}

// describe returns a model as clients see it.
func describe(m draw.Model) modelJSON {
	out := modelJSON{
		ID: m.Name, Object: "model", Created: unix(m.Created), OwnedBy: "fmimg",
		Kind: m.Kind, About: m.About, Width: m.Shape.Width, Height: m.Shape.Height,
		Channels: channels(m.Shape.Channels), Classes: m.Classes, NoClass: m.NoClass,
		Solvers: m.Solvers, Solver: m.Solver, Steps: m.Steps, StepChoices: m.StepChoices,
		Trajectory: m.Trajectory, Edits: m.Edits, Likelihood: m.Likelihood,
		Embedded: m.Embedded, Loaded: m.Loaded, Hash: m.Hash,
	}
	if out.Solvers == nil {
		out.Solvers = []string{}
	}
	if m.Guidance != 0 {
		out.Guidance = &m.Guidance
	}
	return out
}

// unix returns the seconds since 1970; 0 for a time that is not known.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// listModels answers GET /v1/models.
func (a *API) listModels(w http.ResponseWriter, _ *http.Request) {
	list := []modelJSON{}
	for _, m := range a.drawer.Models() {
		list = append(list, describe(m))
	}
	send(w, http.StatusOK, map[string]any{"object": "list", "data": list})
}

// getModel answers GET /v1/models/{id...}.
func (a *API) getModel(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	m, err := a.drawer.Model(id)
	if id == "" { // which a drawer takes for its first
		err = draw.ErrNoModel
	}
	if err != nil {
		problem.Send(w, err)
		return
	}
	send(w, http.StatusOK, describe(m))
}

// send sends a value as JSON.
func send(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		problem.Send(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that went away needs no answer
}
