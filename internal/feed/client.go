package feed

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// Options say where the directory is read.
type Options struct {
	// URLs of the management listeners that have it, tried in turn.
	URLs  []string
	Token string         // a service token of scope replicate
	CA    *x509.CertPool // who signs the listeners' certificates; nil: whom the system trusts
}

// A Client reads a directory at another server. It is safe for use by many
// goroutines.
type Client struct {
	urls   []string
	token  string
	http   *http.Client
	server atomic.Uint32 // the one of urls that is asked; another after each failure
	id     string        // of the directory; set once, by Open
}

// Times after which a server is given up, so that one that fell silent holds
// nobody up for long.
const (
	dialTimeout = time.Second
	readTimeout = 2 * time.Second // of a request, beside what it is asked to wait
)

// maxAnswer bounds what one answer may be, in bytes.
const maxAnswer = 256 << 20

// NewClient makes a client. It asks nothing yet: see Open.
func NewClient(o Options) *Client {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		TLSClientConfig:     &tls.Config{RootCAs: o.CA, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     30 * time.Second,
	}
	c := &Client{token: o.Token, http: &http.Client{Transport: transport, CheckRedirect: noRedirect}}
	for _, u := range o.URLs {
		c.urls = append(c.urls, strings.TrimRight(u, "/"))
	}
	return c
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close lets go of connections that nothing uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Open asks which directory there is, and reads only that one from then on. It
// has to succeed once before anything else is asked. Errors are of the kinds of
// do.
func (c *Client) Open(ctx context.Context) (State, error) {
	var s State
	if err := c.do(ctx, http.MethodGet, PathState, nil, &s); err != nil {
		return s, err
	}
	c.id = s.Directory
	return s, nil
}

// Changes implements grant.Source.
func (c *Client) Changes(ctx context.Context, after authz.Point, wait time.Duration) (authz.Changes, error) {
	ctx, stop := context.WithTimeout(ctx, wait+readTimeout)
	defer stop()
	query := url.Values{"after": {FormatPoint(after)}, "wait": {strconv.FormatInt(wait.Milliseconds(), 10)}}
	var answer Changes
	if err := c.do(ctx, http.MethodGet, PathChanges+"?"+query.Encode(), nil, &answer); err != nil {
		return authz.Changes{}, err
	}
	answer.Held = time.Duration(answer.HeldMS) * time.Millisecond
	return answer.Changes, c.same(answer.Directory)
}

// Read implements grant.Source.
func (c *Client) Read(ctx context.Context, keys []authz.Key) ([]authz.Document, authz.Point, error) {
	ctx, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	body, err := json.Marshal(Query{keys})
	if err != nil {
		return nil, authz.Point{}, err
	}
	var answer Documents
	if err := c.do(ctx, http.MethodPost, PathDocuments, body, &answer); err != nil {
		return nil, authz.Point{}, err
	}
	if len(answer.Documents) != len(keys) {
		return nil, authz.Point{}, fmt.Errorf("the directory answered with %d documents for %d keys: %w", len(answer.Documents), len(keys), authz.ErrUnavailable)
	}
	return answer.Documents, answer.AsOf, c.same(answer.Directory)
}

// AppKey is what the directory keeps of the key of an application. One that it
// does not know is an error of kind authz.ErrNotFound.
func (c *Client) AppKey(ctx context.Context, id string) (k AppKey, err error) {
	ctx, stop := context.WithTimeout(ctx, readTimeout)
	defer stop()
	err = c.do(ctx, http.MethodGet, PathAppKeys+"/"+url.PathEscape(id), nil, &k)
	return k, err
}

func (c *Client) same(directory string) error {
	if directory != c.id {
		return fmt.Errorf("another directory answers at POSTERN_DIRECTORY_URL than when this server started: restart it if that is meant: %w", authz.ErrUnavailable)
	}
	return nil
}

// do asks the server that answered last, and the next time another if it fails.
// Errors are of kind authz.ErrUnavailable, or of authz.ErrUnauthenticated,
// authz.ErrForbidden or authz.ErrNotFound if the server says so.
func (c *Client) do(ctx context.Context, method, path string, body []byte, into any) error {
	turn := c.server.Load()
	base := c.urls[int(turn)%len(c.urls)]
	err := c.ask(ctx, method, base+path, body, into)
	if errors.Is(err, authz.ErrUnavailable) {
		c.server.CompareAndSwap(turn, turn+1)
	}
	return err
}

func (c *Client) ask(ctx context.Context, method, address string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("POSTERN_DIRECTORY_URL: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("ask the directory: %w: %w", err, authz.ErrUnavailable)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the directory's answer: %w: %w", err, authz.ErrUnavailable)
	}
	if answer.StatusCode != http.StatusOK {
		return refusal(answer.StatusCode, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the directory's answer cannot be read: %w: %w", err, authz.ErrUnavailable)
	}
	return nil
}

// refusal is the error for an answer that is none.
func refusal(status int, text []byte) error {
	kind := authz.ErrUnavailable
	switch status {
	case http.StatusUnauthorized:
		kind = authz.ErrUnauthenticated
	case http.StatusForbidden:
		kind = authz.ErrForbidden
	case http.StatusNotFound:
		kind = authz.ErrNotFound
	}
	var problem struct{ Detail string }
	_ = json.Unmarshal(text, &problem) // what is no problem has no detail
	return fmt.Errorf("the directory answered %d %.200s: %w", status, problem.Detail, kind)
}
