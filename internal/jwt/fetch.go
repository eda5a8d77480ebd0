package jwt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

const (
	maxKeySet = 256 << 10 // bytes of a JWK Set
	maxKeys   = 100
	patience  = 3 * time.Second // with an issuer that does not answer
)

// reader reads the JWK Set at a URL or in a file.
func reader(at string) func(context.Context) (jwk.Set, error) {
	if !strings.HasPrefix(at, "https://") && !strings.HasPrefix(at, "http://") {
		return func(context.Context) (jwk.Set, error) { return readFile(at) }
	}
	client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("it redirects: configure where it leads to")
	}}
	return func(ctx context.Context) (jwk.Set, error) { return fetch(ctx, client, at) }
}

func readFile(path string) (jwk.Set, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return parse(file)
}

func fetch(ctx context.Context, client *http.Client, url string) (jwk.Set, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, res.Status)
	}
	return parse(res.Body)
}

// parse reads a JWK Set and leaves out what is no public key of a kind it knows.
func parse(from io.Reader) (jwk.Set, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeySet {
		return nil, fmt.Errorf("the key set is larger than %d bytes", maxKeySet)
	}
	set, err := jwk.Parse(text, jwk.WithIgnoreParseError(true))
	if err != nil {
		return nil, errors.New("it is no JWK Set (RFC 7517)")
	}
	if set.Len() == 0 || set.Len() > maxKeys {
		return nil, fmt.Errorf("the key set has %d keys, want 1 to %d", set.Len(), maxKeys)
	}
	return set, nil
}
