package test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

// A Redis that asks for a certificate, and shows one that is not for its address;
// and a sidecar that finds the same of its directory, with a Cluster.
func TestSettingsOfRedisTakeEffect(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, "ours")
	redis, at := guardedRedis(t, ours)
	o := strict(t, ours, at)
	o.awaitMetric(t, redisUp, is(1))
	o.poolIsBounded(redis, at)
	o.redisIsAwaited(redis)
	o.queueIsBounded()
	o.memoryIsBounded()
	connectionsAreBounded(t, o.server, o.decisions, 4, "total")
	clusterIsFound(t, o, ours)
}

// redisName is the only name in the certificate of guardedRedis.
const redisName = "redis.internal.example"

// guardedRedis is a Redis and the address where it wants a certificate.
func guardedRedis(t *testing.T, a *authority) (redis *fleet.Redis, at string) {
	t.Helper()
	i := installation{dir: t.TempDir()}
	cert, key := a.named(t, redisName)
	at = freeAddress(t)
	_, port, _ := net.SplitHostPort(at)
	redis, err := fleet.NewRedis("--tls-port", port, "--tls-auth-clients", "yes", "--tls-ca-cert-file", i.file(t, "ca.pem", a.pem()),
		"--tls-cert-file", i.file(t, "redis.pem", cert), "--tls-key-file", i.file(t, "redis.key", key))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Stop)
	return redis, at
}

// strict is a server with little room for anything, which is administered over
// TLS. Nobody reads its decision log before it ends.
func strict(t *testing.T, a *authority, redis string) office {
	t.Helper()
	i, log := install(t), unread(t)
	cert, key := a.issue(t, "postern")
	certFile, keyFile := i.file(t, "server.pem", cert), i.file(t, "server.key", key)
	i.env = append(i.env, "POSTERN_SECRET="+strings.Repeat("s", 32), "POSTERN_DECISION_LOG="+log.Name(), "POSTERN_DECISION_LOG_QUEUE=3",
		"POSTERN_GRANTS_CACHE=1MiB", "POSTERN_DECISIONS_MAX_CONNECTIONS=4", "POSTERN_MANAGEMENT_TLS_CERT="+certFile, "POSTERN_MANAGEMENT_TLS_KEY="+keyFile,
		"POSTERN_REDIS_ADDRS="+redis, "POSTERN_REDIS_TLS=true", "POSTERN_REDIS_TLS_CA="+i.file(t, "ca.pem", a.pem()),
		"POSTERN_REDIS_TLS_CERT="+certFile, "POSTERN_REDIS_TLS_KEY="+keyFile, "POSTERN_REDIS_TLS_SERVER_NAME="+redisName,
		"POSTERN_REDIS_TIMEOUT=1s", "POSTERN_REDIS_POOL=1")
	o := administered(t, i)
	t.Cleanup(func() { go func() { _, _ = io.Copy(io.Discard, log) }() })
	o.administration = endpoint{strings.Replace(o.administration.base, "http://", "https://", 1), a.client(t, a)}
	return o
}

// unread is a pipe that stays open.
func unread(t *testing.T) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "decisions")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pipe.Close() })
	return pipe
}

// poolIsBounded asks for several who are not in memory at once, while Redis keeps
// everybody waiting.
func (o office) poolIsBounded(redis *fleet.Redis, at string) {
	o.t.Helper()
	if said, err := redis.Do("CLIENT", "PAUSE", "200", "ALL"); err != nil {
		o.t.Fatal(said, err)
	}
	var asking sync.WaitGroup
	for n := range 4 {
		asking.Go(func() {
			_, _ = o.decisions.send(http.MethodPost, evaluation, unknown(fmt.Sprint("pooled", n)))
		})
	}
	asking.Wait()
	const most = 1 + 1 // one more listens
	for enough := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		said, err := redis.Do("CLIENT", "LIST")
		got := strings.Count(said, "laddr="+at)
		if err == nil && got > 0 && got <= most {
			return
		}
		if time.Now().After(enough) { // well before connections that nobody needs are closed
			o.t.Fatalf("got %d connections to Redis, %v, want %d at most", got, err, most)
		}
	}
}

// unknown asks for somebody whom nobody knows.
func unknown(login string) string {
	return fmt.Sprintf(`{"subject":{"type":"login","id":%q},"action":{"name":"service.view"},"resource":{"type":"account","id":"a-1001"}}`, login)
}

// redisIsAwaited wants a decision to wait for a Redis that does not answer, for
// as long as it may: unless something else has noticed that first.
func (o office) redisIsAwaited(redis *fleet.Redis) {
	o.t.Helper()
	for n, enough := 0, time.Now().Add(patience); ; n++ {
		o.awaitMetric(o.t, breakerOpen, is(0))
		redis.Freeze()
		begun := time.Now()
		x, err := o.decisions.send(http.MethodPost, evaluation, unknown(fmt.Sprint("waiting", n)))
		took := time.Since(begun)
		redis.Thaw()
		if err != nil || x.status != http.StatusOK {
			o.t.Fatalf("got %v, %s, want a decision without Redis", err, x)
		}
		if took >= time.Second {
			return
		}
		if time.Now().After(enough) {
			o.t.Fatalf("got a decision without Redis after %v, want it to be waited for for 1s", took)
		}
	}
}

// askMany asks about more than there is room for in 1 MiB of memory.
func (o office) askMany() {
	o.t.Helper()
	for round := range 4 {
		var asked []string
		for n := range 1000 {
			asked = append(asked, fmt.Sprintf(`{"resource":{"type":"account","id":"%s-%d-%d"}}`, strings.Repeat("x", 100), round, n))
		}
		x, err := o.decisions.send(http.MethodPost, "/access/v1/evaluations", fmt.Sprintf(`{"subject":{"type":"login","id":"rosa"},"action":{"name":"service.view"},"evaluations":[%s]}`, strings.Join(asked, ",")))
		if err != nil || x.status != http.StatusOK {
			o.t.Fatalf("got %v, %d %.300s", err, x.status, x.body)
		}
	}
}

func (o office) memoryIsBounded() {
	o.t.Helper()
	o.askMany()
	o.awaitMetric(o.t, `postern_grants_cache_requests_total{result="miss",tier="memory"}`, atLeast(4000))
	const most = 1 << 20
	if got := o.metric(o.t, "postern_grants_cache_bytes"); got > most {
		o.t.Errorf("got %v bytes of grants in memory, want %d at most", got, most)
	}
}

// queueIsBounded asks for more than the queue and the pipe behind it have room
// for.
func (o office) queueIsBounded() {
	o.t.Helper()
	const asked, queue, piped = 20, 3, 3 // of 60 KiB each
	for range asked {
		if x, err := o.decisions.send(http.MethodPost, evaluation, decided(60<<10)); err != nil || x.status != http.StatusOK {
			o.t.Fatalf("got %v, %d %.300s", err, x.status, x.body)
		}
	}
	o.awaitMetric(o.t, `postern_decision_log_events_total{result="dropped"}`, atLeast(asked-queue-piped))
	if got := o.metric(o.t, "postern_decision_log_buffered_events"); got > queue {
		o.t.Errorf("got %v decisions that wait to be logged, want %d at most", got, queue)
	}
}

// clusterIsFound starts a sidecar of the office that knows one node of a Cluster,
// and wants something in every node.
func clusterIsFound(t *testing.T, o office, a *authority) {
	t.Helper()
	cluster, err := fleet.NewCluster()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	i := install(t)
	i.env = append(i.env, "POSTERN_ONLY=decisions", "POSTERN_SECRET="+strings.Repeat("s", 32),
		"POSTERN_DIRECTORY_URL="+o.administration.base, "POSTERN_DIRECTORY_TOKEN="+o.replicate(), "POSTERN_DIRECTORY_CA="+i.file(t, "ca.pem", a.pem()),
		"POSTERN_REDIS_ADDRS="+cluster.Nodes[0].Addr(), "POSTERN_REDIS_CLUSTER=true")
	office{i.serve(t), t, ""}.fills(cluster)
}

// fills asks until there is something in every node.
func (o office) fills(cluster *fleet.Cluster) {
	o.t.Helper()
	for n, enough := 0, time.Now().Add(patience); ; n++ {
		if _, err := o.decisions.send(http.MethodPost, evaluation, unknown(fmt.Sprint("spread", n))); err != nil {
			o.t.Fatal(err)
		}
		var held []string
		for _, node := range cluster.Nodes {
			said, err := node.Do("DBSIZE")
			if err != nil {
				o.t.Fatal(err)
			}
			held = append(held, said)
		}
		if !slices.Contains(held, "0") {
			return
		}
		if time.Now().After(enough) {
			o.t.Fatalf("got %q keys in the nodes of a Cluster, want some in each", held)
		}
	}
}
