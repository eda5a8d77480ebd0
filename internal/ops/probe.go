package ops

import (
	"fmt"
	"net/http"
	"strings"
)

// A Check is one thing a probe asks about.
type Check struct {
	Name string
	// Probe is nil when all is well. Its error is shown to whoever asks. It
	// answers from memory, at once, and from several goroutines at a time.
	Probe func() error
	// Note, if any, is what there is to say although all is well; likewise.
	Note func() string
}

// probe answers 200 when every check is well, else 503. It lists the checks
// when one is not, or when asked to with ?verbose, as Kubernetes does.
func probe(name string, checks []Check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list, well := run(checks)
		setHeaders(w, "text/plain; charset=utf-8")
		switch {
		case !well:
			w.WriteHeader(http.StatusServiceUnavailable)
			list += name + " check failed\n"
		case r.URL.Query().Has("verbose"):
			list += name + " check passed\n"
		default:
			list = "ok\n"
		}
		_, _ = fmt.Fprint(w, list) // the reader is gone: nobody to tell
	})
}

func run(checks []Check) (list string, well bool) {
	var b strings.Builder
	well = true
	for _, check := range checks {
		if err := check.Probe(); err != nil {
			well = false
			fmt.Fprintf(&b, "[-]%s failed: %s\n", check.Name, oneLine(err))
			continue
		}
		fmt.Fprintf(&b, "[+]%s ok%s\n", check.Name, note(check))
	}
	return b.String(), well
}

func note(c Check) string {
	if c.Note == nil {
		return ""
	}
	if text := c.Note(); text != "" {
		return ", " + text
	}
	return ""
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
