package fleet_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

// A partition is silent: what is asked gets neither an answer nor an error, and
// the answer comes when it is over.
func TestAPartitionIsSilent(t *testing.T) {
	t.Parallel()
	n, err := fleet.NewNamespace(0)
	if err != nil {
		t.Logf("no namespace here, a proxy that stalls stands for it elsewhere: %v", err)
		return
	}
	defer n.Close()
	r, err := n.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := n.Partition(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 7)
	_ = c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	if got, err := c.Read(answer); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %d bytes, %v while it is cut off, want silence", got, err)
	}
	if err := n.Heal(); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "+PONG\r\n" {
		t.Errorf("got %q, %v, want the answer that was held up", answer, err)
	}
}
