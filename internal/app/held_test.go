package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestHeldAddressesAreGivenUntilThereAreNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var at []time.Duration
		start := time.Now()
		answers := []struct {
			n   int
			err error
		}{{100, nil}, {3, nil}, {0, nil}, {0, errors.New("away")}, {1, nil}, {0, nil}}
		give := func(context.Context) (int, error) {
			at = append(at, time.Since(start))
			a := answers[len(at)-1]
			if len(at) == len(answers) {
				stop()
			}
			return a.n, a.err
		}
		giveHeld(time.Minute, slog.New(slog.DiscardHandler), give)(ctx)
		want := []time.Duration{0, 0, 0, time.Minute, 2 * time.Minute, 2 * time.Minute}
		for i := range want {
			if at[i] != want[i] {
				t.Errorf("got call %d after %v, want %v", i, at[i], want[i])
			}
		}
	})
}
