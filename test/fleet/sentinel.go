package fleet

import (
	"fmt"
	"net"
	"strings"
	"time"
)

// A Sentinel is a master, a replica of it, and three servers that put the
// replica in the master's place when they miss it.
type Sentinel struct {
	Master, Replica *Redis
	Watching        []*Redis
}

// MasterName is what Sentinel calls the master.
const MasterName = "postern"

// NewSentinel starts all five. They notice within half a second that the master
// is gone. Stop them when the test is done.
func NewSentinel() (*Sentinel, error) {
	s := &Sentinel{}
	if err := s.start(); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Sentinel) start() (err error) {
	if s.Master, err = NewRedis(); err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(s.Master.Addr())
	if s.Replica, err = NewRedis("--replicaof", host+" "+port); err != nil {
		return err
	}
	for range 3 {
		w, err := NewRedis("--sentinel")
		if err != nil {
			return err
		}
		s.Watching = append(s.Watching, w)
		for _, words := range [][]string{
			{"SENTINEL", "MONITOR", MasterName, host, port, "2"},
			{"SENTINEL", "SET", MasterName, "down-after-milliseconds", "500"},
			{"SENTINEL", "SET", MasterName, "failover-timeout", "2000"},
		} {
			if _, err := w.Do(words...); err != nil {
				return err
			}
		}
	}
	return s.await("that they know each other", s.complete)
}

// complete tells whether each knows the two others and the replica.
func (s *Sentinel) complete() bool {
	for _, w := range s.Watching {
		said, err := w.Do("SENTINEL", "MASTER", MasterName)
		if err != nil || !has(said, "num-slaves", "1") || !has(said, "num-other-sentinels", "2") {
			return false
		}
	}
	info, err := s.Replica.Do("INFO", "replication")
	return err == nil && strings.Contains(info, "master_link_status:up")
}

// has tells whether a line is followed by another.
func has(lines, name, value string) bool {
	return strings.Contains("\n"+lines+"\n", "\n"+name+"\n"+value+"\n")
}

// Addrs are the addresses of those who watch.
func (s *Sentinel) Addrs() []string {
	var addrs []string
	for _, w := range s.Watching {
		addrs = append(addrs, w.Addr())
	}
	return addrs
}

// AwaitFailover waits until all who watch say that the replica is the master.
func (s *Sentinel) AwaitFailover() error {
	return s.await("a failover", func() bool {
		for _, w := range s.Watching {
			said, err := w.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName)
			if err != nil || strings.ReplaceAll(said, "\n", ":") != s.Replica.Addr() {
				return false
			}
		}
		info, err := s.Replica.Do("INFO", "replication")
		return err == nil && strings.Contains(info, "role:master")
	})
}

func (s *Sentinel) await(what string, so func() bool) error {
	for deadline := time.Now().Add(patience); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the Sentinels: waited %s for %s", patience, what)
		}
	}
	return nil
}

// Stop ends all of them.
func (s *Sentinel) Stop() {
	for _, r := range append([]*Redis{s.Master, s.Replica}, s.Watching...) {
		if r != nil {
			r.Stop()
		}
	}
}
