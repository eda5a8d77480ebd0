package ops

import (
	_ "embed" // for the file below
	"net/http"
)

// Document is what the ops listener serves as OpenAPI 3.1, as it is served at
// /openapi.json.
//
//go:embed openapi.json
var Document []byte

func showDocument(w http.ResponseWriter, _ *http.Request) {
	setHeaders(w, "application/json")
	_, _ = w.Write(Document) // the reader is gone: nobody to tell
}
