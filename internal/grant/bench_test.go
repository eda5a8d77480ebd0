package grant

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// listed is how many accounts a document of the store lists.
const listed = 1000

// A portal is a source in which every user has n accounts, made when read.
type portal struct{ n int }

func (s portal) Read(_ context.Context, keys []authz.Key) ([]authz.Document, authz.Point, error) {
	docs := make([]authz.Document, len(keys))
	for i, key := range keys {
		var number int
		switch key.Kind {
		case authz.KindUser:
			fmt.Sscanf(key.ID, "usr_%d", &number)
			docs[i] = userOf(number, min(s.n, listed))
			if s.n > listed {
				docs[i] = narrowOf(number, s.n)
			}
		case authz.KindUserAccount:
			docs[i] = partOf(key)
		case authz.KindAccount:
			fmt.Sscanf(key.ID, "ACC-%d", &number)
			docs[i] = accountOf(number)
		}
	}
	return docs, authz.Point{Revision: 1, Stamp: 1}, nil
}

// partOf is what userOf would list of an account: no contract or delivery account.
func partOf(key authz.Key) (doc authz.Document) {
	_, account := key.UserAccount()
	if number, own := strings.CutPrefix(account, "ACC-"); own {
		doc.Granted = []authz.Granted{{}}
		if strings.Contains("02468", number[len(number)-1:]) {
			doc.Granted = append(doc.Granted, authz.Granted{Tool: "wan_analysis"})
		}
	}
	return doc
}

func (s portal) Changes(context.Context, authz.Point, time.Duration) (authz.Changes, error) {
	return authz.Changes{Head: authz.Point{Revision: 1, Stamp: 1}}, nil
}

// BenchmarkGather asks for users about accounts of theirs, all of it cached.
// What it costs must not grow with the accounts a user holds (N), and with the
// number of users (M) only as far as the processor's own caches go.
func BenchmarkGather(b *testing.B) {
	for _, c := range []struct{ n, m int }{{10, 1}, {1_000, 1}, {100_000, 1}, {10, 1_000}, {1_000, 1_000}, {100_000, 1_000}, {10, 20_000}} {
		b.Run(fmt.Sprintf("N=%d/M=%d", c.n, c.m), func(b *testing.B) { gather(b, c.n, c.m, 1) })
	}
	b.Run("N=10/M=1000/batch=50", func(b *testing.B) { gather(b, 10, 1_000, 50) })
}

func gather(b *testing.B, n, m, batch int) {
	p := New(Options{Source: portal{n}, CacheBytes: 4 << 30, MaxStaleness: time.Hour})
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	go p.Follow(ctx)
	for p.Fresh() != nil {
		time.Sleep(time.Millisecond)
	}
	asked := make([][]authz.Request, max(2*m, 100))
	for i := range asked {
		asked[i] = batchOf(i%m, n, batch)
		if _, _, err := p.Gather(ctx, asked[i], 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	begin := processorTime(b)
	for i := range b.N {
		if _, _, err := p.Gather(ctx, asked[i%len(asked)], 1); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(processorTime(b)-begin)/float64(b.N), "cpu-ns/op")
}

// processorTime is what this process has used: unlike the time of day it is the
// same on a machine that does other things.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func batchOf(user, n, batch int) []authz.Request {
	requests := make([]authz.Request, batch)
	for i := range requests {
		requests[i] = authz.Request{
			Subject:  authz.Subject{Type: "user", ID: fmt.Sprintf("usr_%036d", user)},
			Resource: authz.Resource{Type: "account", ID: fmt.Sprintf("ACC-%08d", user*n+rand.IntN(n))},
		}
	}
	return requests
}

// BenchmarkLoad prepares a grant document for the cache.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprintf("N=%d", n), func(b *testing.B) {
			doc := userOf(1, n)
			p := New(Options{Source: portal{n}})
			b.ReportAllocs()
			for b.Loop() {
				p.terms.entry(p.seed, authz.Key{Kind: authz.KindUser, ID: "usr_1"}, doc, 1)
			}
		})
	}
}
