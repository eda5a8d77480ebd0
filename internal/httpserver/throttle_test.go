package httpserver

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

func TestAThrottledLogPassesOnTheFirstOfEachSecond(t *testing.T) {
	var text strings.Builder
	h := Throttled(slog.New(slog.NewJSONHandler(&text, nil))).With("k", "v").Handler()
	start := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, after := range []time.Duration{0, time.Second} {
		for i := range 3 * recordsPerSecond {
			r := slog.NewRecord(start.Add(after+time.Duration(i)*time.Millisecond), slog.LevelWarn, "failed", 0)
			if err := h.Handle(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != 2*recordsPerSecond {
		t.Fatalf("got %d lines in two seconds, want %d", len(lines), 2*recordsPerSecond)
	}
	for i, line := range lines {
		var got struct {
			Dropped int
			K       string
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		want := 0
		if i == recordsPerSecond {
			want = 2 * recordsPerSecond
		}
		if got.Dropped != want || got.K != "v" {
			t.Errorf("line %d: got %s, want %d dropped before it", i, line, want)
		}
	}
}

func TestFailuresDoNotFloodTheLog(t *testing.T) {
	server := serve(t, Options{}, func(app *fiber.App) {
		app.Get("/fail", func(*fiber.Ctx) error { return errors.New("disk on fire") })
	})
	const requests = 20 * recordsPerSecond
	begin := time.Now()
	for range requests {
		server.do(t, "GET", "/fail", "")
	}
	most := (int(time.Since(begin)/time.Second) + 2) * recordsPerSecond
	if got := strings.Count(server.log.String(), "a request failed"); got == 0 || got > most {
		t.Errorf("got %d lines for %d failures, want 1 to %d", got, requests, most)
	}
}
