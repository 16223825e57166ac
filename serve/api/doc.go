// Package api speaks HTTP for a [draw.Drawer], in two ways: as clients of OpenAI's images know it,
// and natively, by jobs that are followed step by step. Start reading in api.go, which lists the
// routes; openapi.json describes them.
//
//	/v1/models, /v1/images/*   OpenAI's   models.go, generations.go, edits.go, openaistream.go
//	/v1/jobs/*                 native     jobs.go, job.go, jobevents.go, jobfiles.go
//	/metrics, /healthz         both       metrics.go
//
// What comes from a client is read whole and checked before anything is drawn: decode.go. What goes
// to it is encoded in encode.go. An image never waits for a client: a job keeps what was drawn, and
// its readers take it at their pace.
package api
