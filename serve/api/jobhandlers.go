package api

import (
	"net/http"
	"time"

	"github.com/fmimg/fmimg/serve/problem"
)

// How long a handler waits: for a mistake that the drawer finds before it draws, and for the end of
// a job that is cancelled.
const (
	mistakeTime = 100 * time.Millisecond
	cancelTime  = 100 * time.Millisecond
)

// listed is how many jobs are listed.
const listed = 100

// postJob answers POST /v1/jobs.
func (a *API) postJob(w http.ResponseWriter, r *http.Request) {
	text, err := readBody(w, r, maxPictures)
	if err != nil {
		problem.Send(w, err)
		return
	}
	j, err := a.readJob(text)
	if err == nil {
		err = a.start(j)
	}
	if err == nil {
		err = a.refused(j)
	}
	if err != nil {
		problem.Send(w, jobError(err))
		return
	}
	w.Header().Set("Location", "/v1/jobs/"+j.id)
	send(w, http.StatusAccepted, j.snapshot())
}

// refused waits for what the drawer says to a job at once. A job that it refuses is none.
func (a *API) refused(j *job) error {
	timer := time.NewTimer(mistakeTime)
	defer timer.Stop()
	select {
	case <-j.begun:
		return nil
	case <-timer.C:
		return nil
	case <-j.over:
	}
	j.mu.Lock()
	wrong := j.err
	j.mu.Unlock()
	if wrong == nil {
		return nil
	}
	a.jobs.remove(j)
	return wrong
}

// listJobs answers GET /v1/jobs.
func (a *API) listJobs(w http.ResponseWriter, _ *http.Request) {
	list := []jobJSON{}
	for _, j := range a.jobs.newest(listed) {
		list = append(list, j.snapshot())
	}
	send(w, http.StatusOK, map[string]any{"data": list})
}

// getJob answers GET /v1/jobs/{id}.
func (a *API) getJob(w http.ResponseWriter, r *http.Request) {
	j, err := a.jobs.get(r.PathValue("id"))
	if err != nil {
		problem.Send(w, err)
		return
	}
	send(w, http.StatusOK, j.snapshot())
}

// deleteJob answers DELETE /v1/jobs/{id}. A job that has ended stays as it is.
func (a *API) deleteJob(w http.ResponseWriter, r *http.Request) {
	j, err := a.jobs.get(r.PathValue("id"))
	if err != nil {
		problem.Send(w, err)
		return
	}
	j.cancel()
	timer := time.NewTimer(cancelTime)
	defer timer.Stop()
	select {
	case <-j.over:
	case <-timer.C:
	}
	send(w, http.StatusOK, j.snapshot())
}
