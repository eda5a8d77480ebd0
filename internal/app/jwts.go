package app

import "github.com/postern-authz/postern/internal/jwt"

// jwts says whose the tokens of the configured issuer are, for all listeners;
// nil if there is none.
func (s *server) jwts() (*jwt.Verifier, error) {
	j := s.cfg.JWT
	if j.Issuer == "" || s.verifier != nil {
		return s.verifier, nil
	}
	v, err := jwt.New(jwt.Options{
		Issuers: []jwt.Issuer{{Name: j.Issuer, Audience: j.Audience, Keys: j.Keys, UserClaim: j.UserClaim}}, Log: s.Log,
	})
	if err != nil {
		return nil, err
	}
	s.verifier = v
	s.background("issuers' keys", v.Follow)
	return v, nil
}
