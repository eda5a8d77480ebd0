package app

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestATokenThatEndsIsToldOfEveryDayOfTheLastWeek(t *testing.T) {
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		left, after time.Duration
		want        int
	}{
		"it has a year":           {365 * day, 300 * day, 0},
		"the last week begins":    {30*day + time.Hour, 23*day + 2*time.Hour, 1},
		"the last week":           {30 * day, 29*day + time.Hour, 7},
		"it ends soon":            {day, time.Hour, 1},
		"nobody has made another": {day, 3*day + time.Hour, 4},
	} {
		synctest.Test(t, func(t *testing.T) {
			var said bytes.Buffer
			ctx, stop := context.WithTimeout(t.Context(), tt.after)
			defer stop()
			warnOfEnd(ctx, time.Now().Add(tt.left), slog.New(slog.NewTextHandler(&said, nil)))
			if got := bytes.Count(said.Bytes(), []byte("POSTERN_DIRECTORY_TOKEN ends")); got != tt.want {
				t.Errorf("%s: got %d warnings, want %d:\n%s", name, got, tt.want, &said)
			}
		})
	}
}
