package test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// wrong are headers with what is nearly right, what is right in the wrong place,
// and what is nothing at all.
func (w *spillWork) wrong() (headers []string) {
	w.idp.t = w.t
	stranger := issuer{w.t, newKey(w.t)}
	claims := map[string]any{"nonce": w.marker("a claim")}
	jwts := []string{
		stranger.token("rosa", nil, claims), w.idp.token("nobody", nil, claims), w.idp.token(w.marker("a claim"), nil, claims), w.idp.token("rosa", nil, map[string]any{"aud": w.marker("a claim")}),
		w.idp.token("rosa", map[string]any{"kid": w.marker("a claim")}, nil), w.idp.token("rosa", map[string]any{"alg": "none"}, claims), w.idp.token("rosa", nil, map[string]any{"exp": 1}),
	}
	for _, jwt := range jwts {
		w.hide(jwt)
	}
	basic := base64.StdEncoding.EncodeToString([]byte("postern:" + w.marker("Basic")))
	guess := w.office.key[:len(w.office.key)-43] + (w.marker("a guess") + strings.Repeat("A", 43))[:43]
	bearers := append(jwts, w.marker("Bearer"), guess, "st_"+guess[3:], w.office.key, w.office.key+"x", w.app, w.app+"x", strings.Replace(w.app, "pk_", "ok_", 1), "\""+w.app+"\"")
	for _, credential := range bearers {
		headers = append(headers, "Authorization: Bearer "+credential, "Postern-App-Key: "+credential)
	}
	return append(headers, "Authorization: Basic "+basic, "Proxy-Authorization: Basic "+basic, "Authorization: "+w.marker("nothing"),
		"Cookie: session="+w.marker("Cookie"), "X-Api-Key: "+w.app, "Remote-User: "+w.marker("Remote-User")+"\t",
		"Postern-Consistency-Token: "+w.marker("a token"), "traceparent: 00-"+w.marker("a trace"), "If-Match: "+w.marker("an ETag"), "Idempotency-Key: \""+w.marker("a key")+"\"")
}

// strangers show all of it at every listener.
func (w *spillWork) strangers() {
	headers := append(w.wrong(), "Authorization: Bearer "+w.app) // the last is right, and so more is said
	w.everywhere(w.office.server, headers)
	for _, header := range append(headers, "Authorization: Bearer "+w.office.key, "Authorization: Bearer "+w.idp.token("rosa", nil, nil)) {
		for _, path := range []string{"/v1/organizations", "/v1/me", "/v1/feed", "/v1/nothing", "/v1/organizations?page_token=" + w.marker("a page") + "&access_token=" + url.QueryEscape(w.office.key)} {
			w.asks(w.office.administration, http.MethodGet, path, "", header)
		}
		w.asks(w.office.administration, http.MethodPost, "/v1/credentials/verify", `{"username":"rosa","password":"`+w.marker("a password")+`"`, header)
	}
	w.garbage(w.office.decisions)
	w.garbage(w.office.administration)
	w.garbage(w.office.ops)
}

// everywhere asks all that a server decides, with each of the headers; in the
// query there is what has no place there.
func (w *spillWork) everywhere(s *server, headers []string) {
	q, _ := ask([]string{"login:rosa", "service.view", "account:a-1001"})
	input := `{"input":` + q.json() + `}`
	query := "?access_token=" + url.QueryEscape(w.app) + "&password=" + w.marker("a query")
	target := "https://h/accounts/a-1001" + query
	for _, header := range headers {
		for path, body := range map[string]string{
			evaluation: q.json(), "/access/v1/evaluations": `{"evaluations":[` + q.json() + `]}`, "/": q.json(),
			"/v1/data/postern/access/decision": input, "/v1/data/none?explain=full&metrics&provenance": input,
			"/v1/batch/data/postern/access/decision":                      `{"inputs":{"a":` + q.json() + `,"b":null}}`,
			"/v1/compile/custom/lists/services":                           input,
			"/v1/data/postern/access/decision?" + w.marker("a parameter"): `{"input":{"secret":"` + w.marker("half an input"),
		} {
			w.asks(s.decisions, http.MethodPost, path, body, header)
		}
		w.asks(s.decisions, http.MethodGet, "/v1/data/postern/access/decision"+query+"&input="+url.QueryEscape(q.json()), "", header)
		w.asks(s.decisions, http.MethodGet, "/authz/forward-auth"+query, "", header, "X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: h", "X-Forwarded-Uri: "+strings.TrimPrefix(target, "https://h"))
		w.asks(s.decisions, http.MethodGet, "/authz/auth-request", "", header, "X-Original-Method: GET", "X-Original-URL: "+target)
		w.asks(s.decisions, http.MethodGet, "/authz/ext-authz/accounts/a-1001"+query, "", header)
		w.asks(s.decisions, http.MethodGet, "/nothing"+query, "", header)
		for _, path := range []string{"/metrics", "/readyz", "/health", "/nothing"} {
			w.asks(s.ops, http.MethodGet, path+query, "", header)
		}
	}
}

// garbage sends what is no request: credentials in lines that cannot be read.
func (w *spillWork) garbage(e endpoint) {
	credential := "Authorization: Bearer " + w.marker("garbage")
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: h\r\n" + strings.Replace(credential, ":", "", 1) + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\n" + credential + "\r\n" + credential + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\n" + credential + "\r\n " + w.marker("garbage") + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\n" + credential + strings.Repeat("x", 64<<10) + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\n" + credential + "\r\nContent-Length: " + w.marker("garbage") + "\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\n" + credential + "\r\nTransfer-Encoding: chunked\r\n\r\n" + w.marker("garbage") + "\r\n",
		w.marker("garbage") + " / HTTP/1.1\r\nHost: h\r\n" + credential + "\r\n\r\n",
		"GET /" + w.marker("garbage") + " HTTP/" + w.marker("garbage") + "\r\n\r\n",
		w.marker("garbage") + "\r\n\r\n",
		"\x16\x03\x01" + w.marker("garbage") + "\r\n\r\n",
	} {
		w.add("the answer to garbage", w.shouts(e, text))
	}
}

// shouts sends bytes as they are and returns all that is answered.
func (w *spillWork) shouts(e endpoint, text string) string {
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.base, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, text); err != nil {
		return ""
	}
	if half, ok := conn.(*net.TCPConn); ok {
		_ = half.CloseWrite() // it may be closed already
	}
	said, _ := io.ReadAll(bufio.NewReader(conn)) // it may be reset
	return string(said)
}
