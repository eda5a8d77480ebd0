package app

import (
	"context"
	"log/slog"
	"time"
)

// heldEvery is how often it is looked for addresses whose hold has passed; holds
// are counted in days.
const heldEvery = time.Minute

// giveHeld calls give again and again, and at once while there is more to give.
// What fails is tried again.
func giveHeld(every time.Duration, log *slog.Logger, give func(context.Context) (int, error)) func(context.Context) {
	return func(ctx context.Context) {
		for {
			n, err := give(ctx)
			if err != nil && ctx.Err() == nil {
				log.Error("cannot give users the addresses they have confirmed; trying again", "err", err)
			}
			if n > 0 && err == nil {
				continue
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(every):
			}
		}
	}
}
