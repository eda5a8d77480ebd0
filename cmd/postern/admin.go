package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/config"
)

// An admin is what the commands share that ask a running server.
type admin struct {
	s             streams
	server, actor string
	json, dryRun  bool
}

// adminCommand is a group of commands that ask a running server.
func adminCommand(s streams, use, short string) (*cobra.Command, *admin) {
	a := &admin{s: s}
	c := &cobra.Command{
		Use: use, Short: short, Args: knownCommand,
		Long: short + `.

Asks the running server at --server, else POSTERN_SERVER, else ` + config.DefaultServer + `,
with POSTERN_TOKEN, else POSTERN_TOKEN_FILE, else operator.key of the state
directory. More: postern help administration.`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := c.PersistentFlags()
	f.StringVar(&a.server, "server", "", "URL of the management listener (default $POSTERN_SERVER)")
	f.StringVar(&a.actor, "actor", "", "the user to act for (usr_...), in place of the credential itself")
	f.BoolVar(&a.json, "json", false, "print JSON also on a terminal")
	return c, a
}

// changes adds --dry-run to a command that changes something.
func (a *admin) changes(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&a.dryRun, "dry-run", false, "say what would be done, and do nothing")
	return c
}

// A request is one question to the management API.
type request struct {
	method, path string
	query        url.Values
	body         any // nil: none
	accept       string
}

// adminTimeout is longer than the server takes by default.
const adminTimeout = time.Minute

// ask sends a request and returns the body and header of its answer. A problem
// is an error that says what the server said.
func (a *admin) ask(ctx context.Context, r request) ([]byte, http.Header, error) {
	ctx, stop := context.WithTimeout(ctx, adminTimeout)
	defer stop()
	req, client, err := a.prepare(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("no server answers on %s; --server or POSTERN_SERVER names another: %w", req.URL.Host, authz.ErrUnavailable)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("the answer of %s breaks off: %w", req.URL.Host, authz.ErrUnavailable)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return nil, nil, problemOf(res.StatusCode, body)
	}
	return body, res.Header, nil
}

func (a *admin) prepare(ctx context.Context, r request) (*http.Request, *http.Client, error) {
	environ := a.s.environ
	if a.server != "" {
		environ = append(environ[:len(environ):len(environ)], "POSTERN_SERVER="+a.server)
	}
	target, err := config.LoadClient(environ)
	if err != nil {
		return nil, nil, usage(err)
	}
	base, client := reachable(target.Server)
	query := r.query
	if a.dryRun && r.method != http.MethodGet {
		query = url.Values{"validate_only": {"true"}}
	}
	body, err := bodyOf(r.body)
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.method, base+r.path+"?"+query.Encode(), body)
	if err != nil {
		return nil, nil, usage(errors.New("the URL of the server is none"))
	}
	req.Header.Set("Authorization", "Bearer "+string(target.Token))
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range map[string]string{"Accept": r.accept, "Postern-Actor": a.actor} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	return req, client, nil
}

func bodyOf(v any) (io.Reader, error) {
	if v == nil {
		return http.NoBody, nil
	}
	text, err := json.Marshal(v)
	return bytes.NewReader(text), err
}

// reachable is the base of a server's URLs, and a client that reaches it.
func reachable(server string) (base string, client *http.Client) {
	path, socket := strings.CutPrefix(server, "unix://")
	if !socket {
		return strings.TrimRight(server, "/"), http.DefaultClient
	}
	return "http://postern", &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
}

// A problem is what the server says it could not do (RFC 9457).
type problem struct {
	Status    int
	Detail    string
	Reason    string
	RequestID string `json:"request_id"`
	Decision  string `json:"decision_id"`
	Errors    []struct{ Pointer, Detail string }
}

func problemOf(status int, body []byte) *problem {
	p := &problem{}
	if json.Unmarshal(body, p) != nil || p.Detail == "" {
		p.Detail = "the server answers " + http.StatusText(status) + ", and not as Postern does: is this its management listener?"
	}
	p.Status = status
	return p
}

// Error is the server's sentence, with what of the request is wrong, and by which
// ids the operator finds more.
func (p *problem) Error() string {
	text := p.Detail
	for _, e := range p.Errors {
		if e.Detail != p.Detail {
			text += "\n  " + e.Pointer + ": " + e.Detail
		}
	}
	for _, id := range []struct{ name, value string }{{"reason", p.Reason}, {"decision", p.Decision}, {"request", p.RequestID}} {
		if id.value != "" {
			text += "\n  " + id.name + " " + id.value
		}
	}
	return text
}

// Unwrap tells a server that cannot answer from one that does not want to.
func (p *problem) Unwrap() error {
	if p.Status == http.StatusServiceUnavailable {
		return authz.ErrUnavailable
	}
	return nil
}

// all reads a list to its end, page by page, and hands each element on.
func (a *admin) all(ctx context.Context, path string, query url.Values, each func(json.RawMessage) error) error {
	if query == nil {
		query = url.Values{}
	}
	for {
		body, _, err := a.ask(ctx, request{method: http.MethodGet, path: path, query: query})
		if err != nil {
			return err
		}
		var page struct {
			Items []json.RawMessage
			Next  string `json:"next_page_token"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return fmt.Errorf("the answer is no list: %w", err)
		}
		for _, item := range page.Items {
			if err := each(item); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		query.Set("page_token", page.Next)
	}
}

// in is a path of the API with the values escaped in their places.
func in(format string, values ...string) string {
	escaped := make([]any, len(values))
	for i, v := range values {
		escaped[i] = url.PathEscape(v)
	}
	return "/v1/" + fmt.Sprintf(format, escaped...)
}
