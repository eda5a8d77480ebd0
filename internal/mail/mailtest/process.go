package mailtest

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Variable makes a test binary a mail server: its text says how that behaves.
const Variable = "POSTERN_TEST_SMTP"

// A Server is such a process.
type Server struct {
	Address string
	letters chan Letter
}

// Start runs a mail server for as long as the test lasts.
func Start(t testing.TB, b Behaviour) *Server {
	t.Helper()
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	program := exec.Command(os.Args[0])
	program.Env = append(program.Environ(), Variable+"="+string(text))
	program.Stderr = os.Stderr
	in, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	s := &Server{letters: make(chan Letter, 100)}
	lines := bufio.NewReader(out)
	read := make(chan struct{})
	t.Cleanup(func() {
		_ = in.Close()
		<-read
		_ = program.Wait()
	})
	first, err := lines.ReadBytes('\n')
	if err != nil || json.Unmarshal(first, &s.Address) != nil {
		close(read)
		t.Fatalf("the mail server did not start: %q %v", first, err)
	}
	go func() {
		defer close(read)
		for decoder := json.NewDecoder(lines); ; {
			var l Letter
			if decoder.Decode(&l) != nil {
				return
			}
			s.letters <- l
		}
	}()
	return s
}

// Got is the next mail that the server took.
func (s *Server) Got(t testing.TB, within time.Duration) Letter {
	t.Helper()
	select {
	case l := <-s.letters:
		return l
	case <-time.After(within):
		t.Fatalf("the mail server took nothing within %v, want a mail", within)
	}
	return Letter{}
}

// GotNothing wants no mail so far.
func (s *Server) GotNothing(t testing.TB) {
	t.Helper()
	select {
	case l := <-s.letters:
		t.Fatalf("the mail server took %+v, want nothing", l)
	default:
	}
}
