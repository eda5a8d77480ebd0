package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/outbox"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	hookID = "whk_01890a5d-ac96-774b-bcce-b302099a8057"
	msgID  = "msg_01890a5d-ac96-774b-bcce-b302099a8059"
)

var (
	now  = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	made = now.Add(-time.Hour)
	home = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
)

// A desk is a directory with one webhook.
type desk struct {
	pap.Reader
	hook pap.Webhook
	err  error
}

func (d *desk) Look(_ context.Context, fn func(pap.Reader) error) error { return fn(d) }

func (d *desk) Webhook(id string) (pap.Webhook, error) {
	if d.err == nil && id != d.hook.ID {
		return pap.Webhook{}, authz.ErrNotFound
	}
	return d.hook, d.err
}

// A receiver checks what it gets as Standard Webhooks tells receivers to, and
// answers as it is told.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   [][]byte
	answer   func(w http.ResponseWriter, r *http.Request)
}

func receive(t *testing.T, plain bool) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewUnstartedServer(r)
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	if plain {
		r.Start()
	} else {
		r.StartTLS()
	}
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mu.Lock()
	r.requests, r.bodies = append(r.requests, request), append(r.bodies, body)
	r.mu.Unlock()
	if r.answer != nil {
		r.answer(w, request)
	}
}

// verify checks one delivery with the secret as the receiver was shown it.
func (r *receiver) verify(t *testing.T, i int, secret string) bool {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		t.Fatalf("the secret %q is none of Standard Webhooks: %v", secret, err)
	}
	h := r.requests[i].Header
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", h.Get("webhook-id"), h.Get("webhook-timestamp"), r.bodies[i])
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return slices.Contains(strings.Split(h.Get("webhook-signature"), " "), want)
}

func secrets(t *testing.T) *Secrets {
	t.Helper()
	s, err := NewSecrets(bytes.Repeat([]byte("k"), 32), "dir")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// post delivers one event to a URL, as changed.
func post(t *testing.T, url string, change func(*Options, *pap.Webhook)) error {
	t.Helper()
	d := &desk{hook: pap.Webhook{ID: hookID, URL: url, State: pap.WebhookEnabled, Generation: 1}}
	o := Options{Directory: d, Secrets: secrets(t), Allow: home, Timeout: 2 * time.Second, Now: func() time.Time { return now }}
	if change != nil {
		change(&o, &d.hook)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c.Deliver(t.Context(), pap.Message{
		ID: msgID, Channel: pap.ChannelWebhook, Type: "member.created", Recipient: hookID, Revision: 7, CreatedAt: made,
		Payload: json.RawMessage(`{"revision":7,"target":"mem_1"}`),
	})
}

// what says what became of an event.
func what(err error) string {
	var never *outbox.Undeliverable
	var delay *outbox.Delay
	switch {
	case err == nil:
		return "delivered"
	case errors.As(err, new(*outbox.Gone)):
		return "gone"
	case errors.As(err, &never):
		return "never: " + string(never.Reason)
	case errors.As(err, &delay):
		return "later: " + string(delay.Reason)
	}
	return "unexplained: " + err.Error()
}

// trust makes a receiver's certificate known.
func (r *receiver) trust(o *Options, _ *pap.Webhook) {
	o.CA = x509.NewCertPool()
	o.CA.AddCert(r.Certificate())
}

func TestAnEventArrivesSigned(t *testing.T) {
	r := receive(t, false)
	for range 2 {
		if err := post(t, r.URL+"/events?of=acme", r.trust); err != nil {
			t.Fatal(err)
		}
	}
	request := r.requests[0]
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Webhook-Id": msgID, "Webhook-Timestamp": strconv.FormatInt(now.Unix(), 10), "User-Agent": "Postern",
	} {
		if got := request.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if request.Method != http.MethodPost || request.URL.String() != "/events?of=acme" {
		t.Errorf("got %s %s", request.Method, request.URL)
	}
	if got, want := string(r.bodies[0]), `{"type":"member.created","timestamp":"2026-03-04T04:06:07Z","data":{"revision":7,"target":"mem_1"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !r.verify(t, 0, secrets(t).Secret(hookID, 1)) || r.verify(t, 0, secrets(t).Secret(hookID, 2)) {
		t.Error("the signature is not that of the first secret alone")
	}
	if !bytes.Equal(r.bodies[0], r.bodies[1]) || r.requests[1].Header.Get("webhook-id") != msgID {
		t.Error("a second attempt says something else")
	}
}

func TestAnEventCarriesTheTraceOfItsAttempt(t *testing.T) {
	r := receive(t, true)
	c, err := New(Options{Directory: &desk{hook: pap.Webhook{ID: hookID, URL: r.URL, State: pap.WebhookEnabled, Generation: 1}}, Secrets: secrets(t), Allow: home})
	if err != nil {
		t.Fatal(err)
	}
	attempt := trace.Parse([]byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), nil)
	for i, span := range []*trace.Span{attempt, nil} {
		if err := c.Deliver(trace.With(t.Context(), span), pap.Message{ID: msgID, Recipient: hookID, Payload: json.RawMessage(`{}`)}); err != nil {
			t.Fatal(err)
		}
		if h := r.requests[i].Header; h.Get("traceparent") != span.String() || h.Values("tracestate") != nil {
			t.Errorf("got the traceparent %q and the tracestate %q, want %q alone", h.Get("traceparent"), h.Values("tracestate"), span)
		}
	}
}

func TestBothSecretsSignWhileARotationLasts(t *testing.T) {
	for _, test := range []struct {
		name     string
		until    time.Time
		old, new bool
	}{
		{"within the rotation both sign", now.Add(time.Second), true, true},
		{"after it only the new one does", now, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := receive(t, true)
			err := post(t, r.URL, func(_ *Options, h *pap.Webhook) { h.Generation, h.PreviousUntil = 3, &test.until })
			if err != nil {
				t.Fatal(err)
			}
			for generation, want := range map[int]bool{1: false, 2: test.old, 3: test.new} {
				if got := r.verify(t, 0, secrets(t).Secret(hookID, generation)); got != want {
					t.Errorf("the secret of generation %d verifies it: got %v, want %v", generation, got, want)
				}
			}
		})
	}
}

func TestSecretsAreOfOneWebhookGenerationAndDirectory(t *testing.T) {
	other, err := NewSecrets(bytes.Repeat([]byte("k"), 32), "other")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{secrets(t).Secret(hookID, 1), secrets(t).Secret(hookID, 2), secrets(t).Secret(hookID+"1", 1), secrets(t).Secret(hookID, 11), other.Secret(hookID, 1)}
	slices.Sort(all)
	if got := len(slices.Compact(all)); got != 5 {
		t.Errorf("got %d secrets, want 5", got)
	}
	for _, bad := range []struct {
		secret []byte
		id     string
	}{{make([]byte, 31), "dir"}, {make([]byte, 32), ""}} {
		if _, err := NewSecrets(bad.secret, bad.id); err == nil {
			t.Errorf("secrets of %d bytes and directory %q: got none, want an error", len(bad.secret), bad.id)
		}
	}
}

func TestWhatAReceiverAnswers(t *testing.T) {
	for _, test := range []struct {
		code int
		want string
	}{
		{200, "delivered"}, {202, "delivered"}, {204, "delivered"}, {410, "gone"}, {404, "later: answered-4xx"},
		{429, "later: answered-4xx"}, {500, "later: answered-5xx"}, {503, "later: answered-5xx"}, {301, "later: redirected"},
		{307, "later: redirected"}, {600, "later: answer-not-understood"},
	} {
		t.Run(strconv.Itoa(test.code), func(t *testing.T) {
			r := receive(t, true)
			r.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(test.code) }
			if got := what(post(t, r.URL, nil)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAReceiverMayAskToBeLeftAloneForAWhile(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "999999999": time.Hour, "-5": 0, "soon": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		r := receive(t, true)
		r.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", text)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		var delay *outbox.Delay
		if err := post(t, r.URL, nil); !errors.As(err, &delay) || delay.After != want {
			t.Errorf("%q: got %v after %v, want %v", text, err, delay, want)
		}
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	inside, r := receive(t, true), receive(t, true)
	r.answer = func(w http.ResponseWriter, request *http.Request) {
		http.Redirect(w, request, inside.URL, http.StatusTemporaryRedirect)
	}
	if got := what(post(t, r.URL, nil)); got != "later: redirected" || len(inside.requests) != 0 {
		t.Errorf("got %q and %d requests behind it, want none", got, len(inside.requests))
	}
}

func TestAReceiverThatMisbehaves(t *testing.T) {
	t.Run("it never answers", func(t *testing.T) {
		r := receive(t, true)
		r.answer = func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }
		err := post(t, r.URL, func(o *Options, _ *pap.Webhook) { o.Timeout = 100 * time.Millisecond })
		if got := what(err); got != "later: timeout" {
			t.Errorf("got %q, want later: timeout", got)
		}
	})
	t.Run("its answer never ends", func(t *testing.T) {
		r := receive(t, true)
		r.answer = func(w http.ResponseWriter, request *http.Request) {
			for request.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}
		if got := what(post(t, r.URL, nil)); got != "delivered" {
			t.Errorf("got %q, want delivered", got)
		}
	})
	t.Run("its header never ends", func(t *testing.T) {
		r := receive(t, true)
		r.answer = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }
		if got := what(post(t, r.URL, nil)); got != "later: receiver-unreachable" {
			t.Errorf("got %q, want later: receiver-unreachable", got)
		}
	})
	t.Run("it is nobody we trust", func(t *testing.T) {
		if got := what(post(t, receive(t, false).URL, nil)); got != "later: tls-failed" {
			t.Errorf("got %q, want later: tls-failed", got)
		}
	})
	t.Run("it is not there", func(t *testing.T) {
		err := post(t, "http://127.0.0.1:1/secret-of-the-receiver", nil)
		if got := what(err); got != "later: receiver-unreachable" || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %q, %v, want later: receiver-unreachable and no path", got, err)
		}
	})
}

func TestAWebhookThatIsOverGetsNothing(t *testing.T) {
	r := receive(t, true)
	for _, test := range []struct {
		name   string
		change func(*Options, *pap.Webhook)
		want   string
	}{
		{"it was deleted", func(_ *Options, h *pap.Webhook) { h.ID = "whk_other" }, "never: obsolete"},
		{"it is disabled", func(_ *Options, h *pap.Webhook) { h.State = pap.WebhookDisabled }, "never: webhook-disabled"},
		{"its URL is none", func(_ *Options, h *pap.Webhook) { h.URL = "ftp://127.0.0.1/" }, "never: url-invalid"},
		{"the directory does not answer", func(o *Options, _ *pap.Webhook) { o.Directory = &desk{err: errors.New("down")} }, "later: directory-unavailable"},
	} {
		if got := what(post(t, r.URL, test.change)); got != test.want || len(r.requests) != 0 {
			t.Errorf("%s: got %q and %d requests, want %q and none", test.name, got, len(r.requests), test.want)
		}
	}
}

// TestNobodyInsideIsAsked tries all the ways to write or to hide an address.
func TestNobodyInsideIsAsked(t *testing.T) {
	victim := receive(t, true)
	_, port, err := net.SplitHostPort(victim.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	bad := names(t, map[string][]string{
		"loopback.example": {"127.0.0.1"}, "private.example": {"10.0.0.1"}, "metadata.example": {"169.254.169.254"},
		"six.example": {"::1"}, "mapped.example": {"::ffff:127.0.0.1"}, "nat64.example": {"64:ff9b::7f00:1"},
		"many.example": {"10.0.0.1,127.0.0.1,192.168.0.1"}, "*": {"127.0.0.1"},
	})
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "017700000001", "0x7f.0.0.1", "127.0.0.1.", "localhost", "LOCALHOST.",
		"0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]",
		"[fe80::1%25lo]", "[fd00:ec2::254]", "169.254.169.254", "2852039166", "10.0.0.1", "192.168.0.1", "100.100.100.200",
		"loopback.example", "private.example", "metadata.example", "six.example", "mapped.example", "nat64.example", "many.example",
		"127.0.0.1.nip.example", "①②⑦.⓪.⓪.①",
	} {
		for _, scheme := range []string{"https", "http"} {
			t.Run(scheme+" "+host, func(t *testing.T) {
				got := what(post(t, scheme+"://"+host+":"+port+"/", func(o *Options, _ *pap.Webhook) { o.Allow, o.resolver = nil, bad }))
				if !slices.Contains([]string{"later: address-refused", "later: https-required", "later: receiver-unreachable", "never: url-invalid"}, got) {
					t.Errorf("got %q, want that it is not asked", got)
				}
				if scheme == "https" && got == "later: https-required" {
					t.Errorf("got %q for https", got)
				}
			})
		}
	}
	if len(victim.requests) != 0 {
		t.Errorf("got %d requests inside, want none", len(victim.requests))
	}
}

func TestANameThatChangesItsMeaningIsCheckedEachTime(t *testing.T) {
	r := receive(t, false) // its certificate is for example.com too
	_, port, _ := net.SplitHostPort(r.Listener.Addr().String())
	resolver := names(t, map[string][]string{"example.com": {"127.0.0.1", "127.0.0.2"}})
	for _, want := range []string{"delivered", "later: address-refused"} {
		got := what(post(t, "https://example.com:"+port, func(o *Options, h *pap.Webhook) {
			r.trust(o, h)
			o.resolver = resolver
		}))
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTheEnvironmentNamesNoProxy(t *testing.T) {
	proxy, r := receive(t, true), receive(t, true)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	resolver := names(t, map[string][]string{"receiver.example": {"127.0.0.1"}})
	_, port, _ := net.SplitHostPort(r.Listener.Addr().String())
	err := post(t, "http://receiver.example:"+port, func(o *Options, _ *pap.Webhook) { o.resolver = resolver })
	if err != nil || len(r.requests) != 1 || len(proxy.requests) != 0 {
		t.Errorf("got %v, %d at the receiver and %d at the proxy, want 1 and 0", err, len(r.requests), len(proxy.requests))
	}
}
