package test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A receiver is a portal that webhooks tell of events.
type receiver struct {
	url    string
	told   chan telling
	status atomic.Int32 // that it answers with
}

// A telling is one request that a receiver got.
type telling struct {
	id, timestamp string
	signatures    []string
	body          string
	traceparent   string
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{told: make(chan telling, 100)}
	r.status.Store(http.StatusNoContent)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		written.add("webhook", string(body))
		h := q.Header
		r.told <- telling{h.Get("webhook-id"), h.Get("webhook-timestamp"), strings.Fields(h.Get("webhook-signature")), string(body), h.Get("traceparent")}
		w.WriteHeader(int(r.status.Load()))
	}))
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

// next is what the receiver is told next.
func (r *receiver) next(t *testing.T) telling {
	t.Helper()
	select {
	case g := <-r.told:
		return g
	case <-time.After(patience):
		t.Fatal("the receiver was told nothing")
	}
	return telling{}
}

// signedBy says which of the secrets signed it, in their order, as a receiver
// checks it that has only read the Standard Webhooks specification.
func (g telling) signedBy(t *testing.T, secrets ...string) (by []int) {
	t.Helper()
	for i, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", g.id, g.timestamp, g.body)
		if slices.Contains(g.signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))) {
			by = append(by, i)
		}
	}
	return by
}

// listening is an office with a webhook of acme, and the webhook's secret.
func listening(t *testing.T, r *receiver) (o office, path, secret string) {
	t.Helper()
	o = administered(t, install(t, "POSTERN_WEBHOOK_ALLOW=127.0.0.1/32"))
	made := o.does(http.StatusCreated, http.MethodPost, "/v1/organizations/acme/webhooks", fmt.Sprintf(`{"url":%q}`, r.url))
	return o, "/v1/organizations/acme/webhooks/" + made.read("id"), made.read("secret")
}

// renames makes one event.
func (o office) renames(name string) {
	o.t.Helper()
	o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme", fmt.Sprintf(`{"name":%q}`, name))
}

func TestAReceiverIsToldOfEventsInOrder(t *testing.T) {
	t.Parallel()
	r := receive(t)
	o, path, secret := listening(t, r)
	r.next(t) // of the webhook itself
	member, _ := o.username("acme", "rosa")
	const changes = 20
	for n := range changes {
		if n%2 == 0 {
			o.renames(fmt.Sprint("ACME ", n))
		} else {
			o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme/members/"+member, fmt.Sprintf(`{"given_name":"Rosa %d"}`, n))
		}
	}
	last, ids := 0, map[string]bool{}
	for n := range changes {
		g := r.next(t)
		if by := g.signedBy(t, secret); len(by) != 1 || len(g.signatures) != 1 {
			t.Errorf("got the signatures %q of %s, want one by the secret", g.signatures, g.body)
		}
		if sent, err := strconv.ParseInt(g.timestamp, 10, 64); err != nil || time.Since(time.Unix(sent, 0)).Abs() > patience {
			t.Errorf("got the time %q, want that of the delivery", g.timestamp)
		}
		if strings.Contains(g.body, "Rosa") || strings.Contains(g.body, "@") || strings.Contains(g.body, "ACME") {
			t.Errorf("the body is not thin: %s", g.body)
		}
		var said struct {
			Type string
			Data map[string]any
		}
		if err := json.Unmarshal([]byte(g.body), &said); err != nil {
			t.Fatal(err)
		}
		want := []string{"organization.updated", "member.updated"}[n%2]
		revision, _ := said.Data["revision"].(float64)
		if said.Type != want || int(revision) <= last {
			t.Errorf("got %s at revision %v after %d, want %s later", said.Type, revision, last, want)
		}
		if got := slices.Sorted(maps.Keys(said.Data)); !slices.Equal(got, []string{"actor", "decision_id", "event_id", "organization", "revision", "target"}) {
			t.Errorf("got the members %q", got)
		}
		last, ids[g.id] = int(revision), true
	}
	if len(ids) != changes {
		t.Errorf("got %d ids, want %d", len(ids), changes)
	}
	o.until(path+"/deliveries?state=waiting", func(x exchange) bool { return x.read("items.0") == "" })
}

func TestBothSecretsSignWhileOneIsReplaced(t *testing.T) {
	t.Parallel()
	r := receive(t)
	o, path, old := listening(t, r)
	r.next(t)
	fresh := o.does(http.StatusOK, http.MethodPost, path+"/rotate-secret", "").read("secret")
	if fresh == "" || fresh == old {
		t.Fatalf("got no new secret")
	}
	if by := r.next(t).signedBy(t, fresh, old); !slices.Equal(by, []int{0, 1}) {
		t.Errorf("signed by %v, want by both secrets", by)
	}
}

func TestAReceiverThatIsGoneIsToldNothingMore(t *testing.T) {
	t.Parallel()
	r := receive(t)
	o, path, _ := listening(t, r)
	r.next(t)
	r.status.Store(http.StatusGone)
	o.renames("Gone")
	r.next(t)
	o.until(path, func(x exchange) bool { return x.read("state") == "disabled" })
	r.status.Store(http.StatusNoContent)
	o.renames("Unheard")
	if got := o.events("acme"); !slices.Contains(got, "webhook.disabled") {
		t.Errorf("got the events %q, want webhook.disabled", got)
	}
	o.does(http.StatusOK, http.MethodPatch, path, `{"state":"enabled"}`)
	if g := r.next(t); !strings.Contains(g.body, `"webhook.updated"`) {
		t.Errorf("got %s, want nothing of what happened while it was disabled", g.body)
	}
}
