package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
)

// parrots runs a server that only administers, over TLS, whose Redis and whose
// mail server say again what they were told: Redis 5 does, with the password in
// it. Then a sidecar and a command ask a server of that kind.
func (w *spillWork) parrots() {
	ours := newAuthority(w.t, "ours")
	cert, key := ours.issue(w.t, "pap")
	w.hidePEM(key)
	i := w.installation
	i.env = append(slices.Clone(i.env), "POSTERN_REDIS_ADDRS="+w.parrot("", "-ERR unknown command, with args beginning with: "), "POSTERN_MAIL=smtp://postern@"+w.parrot("220 mx ESMTP", "535 5.7.8 you said "),
		"POSTERN_MANAGEMENT_TLS_CERT="+w.file(cert), "POSTERN_MANAGEMENT_TLS_KEY="+w.file(key))
	s, err := start(i.binary, i.dir, i.env, "--only=management")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = s.stop() })
	e := endpoint{strings.Replace(s.administration.base, "http:", "https:", 1), ours.client(w.t, nil)}
	w.asks(e, http.MethodPost, "/v1/organizations/acme/invitations", `{"email":"late@acme.example","role":"regular","grants":{"accounts":[{"id":"a-1001"}]}}`, "Authorization: Bearer "+w.office.key)
	if !s.stderr.await(s.done, func(text string) bool { return strings.Contains(text, "a message was not delivered") }) {
		w.t.Errorf("the mail server is not asked:\n%s", s.stderr)
	}
	w.end(s)
	echo := w.echo()
	client := w.installation
	client.env = append(slices.Clone(client.env), "POSTERN_SERVER="+echo, w.set("POSTERN_TOKEN", w.office.key))
	w.says(client, "org", "list")
	sidecar := install(w.t, w.set("POSTERN_SECRET", "%s"), w.set("POSTERN_DIRECTORY_TOKEN", "st_%s"), "POSTERN_DIRECTORY_URL="+echo, "POSTERN_LOG_LEVEL=debug")
	if said := w.says(sidecar, "serve"); !strings.Contains(said, "you said") {
		w.t.Errorf("the echo is not asked:\n%s", said)
	}
	sidecar.env = append(sidecar.env, w.set("POSTERN_DIRECTORY_TOKEN", "st_%s\x01%s"))
	w.says(sidecar, "serve")
}

// parrot is a server that greets, and answers each line with what it says and
// with the line, whose protocol it does not know.
func (p *spill) parrot(greeting, says string) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go repeat(conn, greeting, says)
		}
	}()
	return l.Addr().String()
}

func repeat(conn net.Conn, greeting, says string) {
	defer conn.Close()
	if greeting != "" {
		_, _ = fmt.Fprintf(conn, "%s\r\n", greeting) // whoever has gone hears nothing
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		answer := says + lines.Text()
		if strings.HasPrefix(lines.Text(), "EHLO") {
			answer = "250-mx\r\n250 AUTH PLAIN LOGIN"
		}
		_, _ = fmt.Fprintf(conn, "%s\r\n", answer)
	}
}

// echo is an HTTP server that refuses every request as Postern does, with the
// header of the request in its sentence.
func (p *spill) echo() (url string) {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		text, _ := json.Marshal(map[string]any{"detail": "you said " + r.Header.Get("Authorization"), "reason": r.Header.Get("Authorization")})
		rw.WriteHeader(http.StatusServiceUnavailable)
		_, _ = rw.Write(text)
	}))
	p.t.Cleanup(s.Close)
	return s.URL
}
