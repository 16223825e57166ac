package api

import (
	_ "embed"
	"net/http"
)

// document describes all routes of the server, in OpenAPI 3.1.
//
//go:embed openapi.json
var document []byte

// openAPI answers GET /openapi.json.
func openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document)
}
