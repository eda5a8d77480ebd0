package app

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/postern-authz/postern/internal/grant"
	"github.com/postern-authz/postern/internal/policy"
)

// A state is what probes ask about. It is empty until the server has started.
type state struct {
	parts  atomic.Pointer[parts]
	absent atomic.Bool // the database was asked, and did not answer
}

type parts struct {
	engine *policy.Engine
	pip    *grant.PIP
}

func (s *state) start(engine *policy.Engine, pip *grant.PIP) { s.parts.Store(&parts{engine, pip}) }

// database says what became of the last attempt to open the database.
func (s *state) database(err error) { s.absent.Store(err != nil) }

func (s *state) started() error {
	switch {
	case s.parts.Load() != nil:
		return nil
	case s.absent.Load():
		return errors.New("the database does not answer yet and is asked again; the log says why")
	}
	return errors.New("the policy is being loaded, or the database is being opened")
}

func (s *state) policy() error {
	if p := s.parts.Load(); p == nil || p.engine.Live() == nil {
		return errors.New("no policy is in force")
	}
	return nil
}

func (s *state) directory() error {
	p := s.parts.Load()
	if p == nil {
		return errors.New("the directory is not open yet: see started")
	}
	return p.pip.Fresh()
}

// stale says that decisions rest on what is older than the bound.
func (s *state) stale() string {
	p := s.parts.Load()
	if p == nil {
		return ""
	}
	age, stale := p.pip.Stale()
	if !stale {
		return ""
	}
	return fmt.Sprintf("but stale: it was last heard of %s ago, and decisions say so", age.Round(time.Second))
}
