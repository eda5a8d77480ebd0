package postern

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options are what a Client needs to know.
type Options struct {
	URL         string        // http://host:port, https://host:port or unix:///path/of/the.sock
	Key         string        // app key (`postern key create`); empty where Postern wants none
	Timeout     time.Duration // for an answer, a second attempt included; 2 s
	Obligations []string      // ids of those that the application carries out; any other denies
}

// A Client asks one Postern. Make one when the application starts and share it:
// it keeps connections open and may be used from several goroutines.
type Client struct {
	options Options
	base    string
	http    *http.Client
	seen    seen
}

// New returns a Client. It refuses a URL that it cannot ask.
func New(o Options) (*Client, error) {
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme == "unix" && u.Path == "" || u.Scheme != "unix" && u.Host == "" {
		return nil, fmt.Errorf("the URL of Postern is %q: use http://host:port, https://host:port or unix:///path", o.URL)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second} // no proxy of the environment
	base := strings.TrimSuffix(o.URL, "/")
	if u.Scheme == "unix" {
		base = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", u.Path)
		}
	}
	return &Client{options: o, base: base, http: &http.Client{Transport: transport, CheckRedirect: stay}}, nil
}

// stay keeps the key from being sent anywhere else.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Evaluate asks one question. Ask each time: an answer is of this moment, and
// one that is kept would outlive a grant that was taken away.
func (c *Client) Evaluate(ctx context.Context, user Entity, q Question) Answer {
	body := q.wire()
	body["subject"] = user
	reply, err := c.ask(ctx, "/access/v1/evaluation", user, body)
	if err != nil {
		return Answer{Err: err}
	}
	return c.read(reply.members, reply.decisionID)
}

// EvaluateAll asks several questions about one user at once: all are decided on
// one state of the directory. The answers are in the order of the questions, and
// there are as many. Postern takes up to 1,000 at a time.
func (c *Client) EvaluateAll(ctx context.Context, user Entity, questions []Question) []Answer {
	answers := make([]Answer, len(questions))
	if len(questions) == 0 {
		return answers
	}
	items := make([]any, len(questions))
	for i, q := range questions {
		items[i] = q.wire()
	}
	reply, err := c.ask(ctx, "/access/v1/evaluations", user, map[string]any{"subject": user, "evaluations": items})
	if err == nil {
		err = c.readAll(reply, answers)
	}
	if err != nil {
		for i := range answers {
			answers[i] = Answer{Err: err}
		}
	}
	return answers
}

func (q Question) wire() map[string]any {
	w := map[string]any{"action": map[string]any{"name": q.Action}, "resource": q.Resource}
	if len(q.Context) > 0 {
		w["context"] = q.Context
	}
	return w
}

// errUndecided is the cause of an item that Postern itself could not decide.
var errUndecided = errors.New("postern could not decide")
