package test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

type outlets struct {
	mu      sync.Mutex
	texts   []outlet
	secrets map[string]bool
}

// An outlet is one place where a server wrote.
type outlet struct{ where, text string }

// add keeps what was written somewhere: a log, a problem, a webhook, a metric.
func (o *outlets) add(where, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.texts = append(o.texts, outlet{where, text})
}

// short is the length of what could stand anywhere by chance.
const short = 11

// secret keeps what must never be written.
func (o *outlets) secret(text string) {
	if len(text) <= short {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.secrets[text] = true
}

// hide keeps what must never be written in whatever form, and no part of it
// either.
func (o *outlets) hide(text string) {
	const part = 16
	for _, form := range forms(text) {
		o.secret(form)
	}
	for at := range max(0, len(text)-part+1) {
		if len(text)-at <= unguessable {
			o.secret(text[at : at+part])
		}
	}
}

// forms are the ways in which a text may come to be written: as it is, with the
// escapes of JSON, Go, HTML and URLs, in hex, as a list of bytes, and in base64
// whatever stands before it.
func forms(text string) []string {
	quoted, _ := json.Marshal(text) // of a string: cannot fail
	inHex := hex.EncodeToString([]byte(text))
	list := []string{
		text, strings.Trim(string(quoted), `"`), strings.Trim(strconv.Quote(text), `"`), html.EscapeString(text),
		url.QueryEscape(text), url.PathEscape(text), url.User(text).String(),
		inHex, strings.ToUpper(inHex), strings.Trim(fmt.Sprint([]byte(text)), "[]"),
	}
	for before := range 3 {
		for _, coding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			encoded := coding.EncodeToString([]byte("xxx"[:before] + text))
			list = append(list, encoded[(before*8+5)/6:(before+len(text))*8/6])
		}
	}
	return list
}

// unguessable is the length of the last part of a key or link, which is what
// nobody can guess.
const unguessable = 43

// leaks says which secrets stand where, those side by side in one place once.
func (o *outlets) leaks() (found []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	needles := map[string][]string{} // secrets by how their last part begins
	for secret := range o.secrets {
		last := secret[max(0, len(secret)-unguessable):]
		needles[last[:short]] = append(needles[last[:short]], secret)
	}
	for _, t := range o.texts {
		for at, end := 0, 0; at+short <= len(t.text); at++ {
			for _, secret := range needles[t.text[at:at+short]] {
				last := secret[max(0, len(secret)-unguessable):]
				if !strings.HasPrefix(t.text[at:], last) {
					continue
				}
				if at > end || end == 0 {
					found = append(found, fmt.Sprintf("%s has %.12q...: %.200q", t.where, secret, t.text[max(0, at-150):at]))
				}
				end = max(end, at+len(last))
			}
		}
	}
	slices.Sort(found)
	return found
}

func TestASecretIsFoundInWhateverForm(t *testing.T) {
	const secret, other = "whsec_c2VjcmV0/c2VjcmV0+c2VjcmV0\"<é>?==", "correct horse battery staple"
	planted := append(forms(secret), forms(other)...)
	planted = append(planted, "cut: "+secret[:22], other[5:25])
	for _, form := range planted {
		if len(form) > 60 {
			planted = append(planted, "Basic eA"+form) // with something before it
		}
	}
	for _, text := range planted {
		o := &outlets{secrets: map[string]bool{}}
		o.hide(secret)
		o.hide(other)
		o.add("the log", `{"msg":"started","note":"`+text+`"}`)
		o.add("the metrics", "# HELP nothing of it")
		if got := o.leaks(); len(got) != 1 || !strings.HasPrefix(got[0], "the log has ") {
			t.Errorf("%q: got %q, want it found once, in the log", text, got)
		}
	}
}
