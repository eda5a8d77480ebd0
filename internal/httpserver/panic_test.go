package httpserver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// T19: whatever a handler panics with, the log has no credential of the request,
// and the caller nothing at all.
func TestNoPanicRepeatsTheRequest(t *testing.T) {
	secrets := map[string]string{"header": "Bearer canary0header7d41", "cookie": "session=canary0cookie7d41", "query": `canary0query7d41"<`, "body": "canary0body7d41 and more", "key": "canary-0-key-7d41"}
	var with func(c *fiber.Ctx)
	log := &logged{}
	server := serve(t, Options{LogRequests: true, Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, func(app *fiber.App) {
		app.Post("/panic", func(c *fiber.Ctx) error { with(c); return nil })
	})
	body, err := json.Marshal(map[string]string{"password": secrets["body"]})
	if err != nil {
		t.Fatal(err)
	}
	for name, panics := range map[string]func(c *fiber.Ctx){
		"its header":      func(c *fiber.Ctx) { panic("cannot read " + c.Get("Authorization") + c.Get("Cookie")) },
		"a word of it":    func(c *fiber.Ctx) { panic(strings.Fields(c.Get("Authorization"))[1]) },
		"all of it":       func(c *fiber.Ctx) { panic(fmt.Errorf("in %s", c.Request())) },
		"its query":       func(c *fiber.Ctx) { panic(fmt.Sprintf("in %q, %q", c.Query("token"), c.OriginalURL())) },
		"its body":        func(c *fiber.Ctx) { panic(fmt.Errorf("in %q: %w", c.Body(), io.EOF)) },
		"a pattern of it": func(c *fiber.Ctx) { regexp.MustCompile("(" + c.Get("Postern-App-Key")) },
		"a runtime error": func(c *fiber.Ctx) { _ = c.Body()[len(c.Body()):][1] },
	} {
		with = panics
		resp, said := server.do(t, "POST", "/panic?token=canary0query7d41%22%3C", string(body), "Authorization", secrets["header"], "Cookie", secrets["cookie"], "Postern-App-Key", secrets["key"])
		if resp.StatusCode != 500 || strings.Contains(said+fmt.Sprint(resp.Header), "7d41") {
			t.Errorf("%s: got %d %s, want a 500 and nothing of the request", name, resp.StatusCode, said)
		}
	}
	text := log.String()
	for what, secret := range secrets {
		word := regexp.MustCompile(`canary[\w-]+`).FindString(secret)
		for _, form := range []string{"canary", word[7:], base64.StdEncoding.EncodeToString([]byte(word)), fmt.Sprintf("%x", word)} {
			if strings.Contains(text, form) {
				t.Errorf("got the %s of a request in the log:\n%s", what, text)
			}
		}
	}
	if got := strings.Count(text, `"msg":"a handler panicked"`); got != 7 || !strings.Contains(text, "index out of range") || !strings.Contains(text, "panic_test.go") {
		t.Errorf("got %d panics, want 7, each with its cause and stack:\n%s", got, text)
	}
}

// What stands where a method should be may be the rest of another request.
func TestTheLogHasOnlyMethodsOfHTTP(t *testing.T) {
	log := &logged{}
	server := serve(t, Options{LogRequests: true, Log: slog.New(slog.NewJSONHandler(log, nil))}, echo)
	server.raw(t, "canary /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if text := log.String(); strings.Contains(text, "canary") || !strings.Contains(text, `"method":"other"`) {
		t.Errorf("got %s, want the method other", text)
	}
}
