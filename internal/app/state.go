package app

import (
	"errors"
	"sync/atomic"

	"github.com/postern-authz/postern/internal/grant"
	"github.com/postern-authz/postern/internal/policy"
)

// A state is what probes ask about. It is empty until the server has started.
type state struct{ parts atomic.Pointer[parts] }

type parts struct {
	engine *policy.Engine
	pip    *grant.PIP
}

func (s *state) start(engine *policy.Engine, pip *grant.PIP) { s.parts.Store(&parts{engine, pip}) }

func (s *state) started() error {
	if s.parts.Load() == nil {
		return errors.New("the policy is being loaded, or the database does not answer yet; the log says which")
	}
	return nil
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
		return errors.New("the directory is not open yet")
	}
	return p.pip.Fresh()
}
