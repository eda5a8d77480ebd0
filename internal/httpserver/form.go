package httpserver

import "github.com/valyala/fasthttp"

// An ErrorForm is how errors look at paths whose callers expect another form than
// a problem. It counts for every error there, also for those of requests that no
// route ever saw: too large, not HTTP, from strangers.
type ErrorForm struct {
	// Owns says whether a path, as it was sent and without its query, is of this
	// form.
	Owns func(path string) bool
	// Body writes an error: what the caller may be told of it is in p, and err is
	// the error itself, whose own words go to nobody. Nil is a problem after all.
	Body func(p Problem, err error) (mediaType string, body []byte)
}

// form is the form of the errors of a request.
func (s *Server) form(rc *fasthttp.RequestCtx, r *request) ErrorForm {
	path := r.path
	if path == "" && len(s.options.ErrorForms) > 0 {
		path = string(rc.Request.URI().PathOriginal())
	}
	for _, f := range s.options.ErrorForms {
		if f.Owns(path) {
			return f
		}
	}
	return ErrorForm{Body: func(Problem, error) (string, []byte) { return "", nil }}
}
