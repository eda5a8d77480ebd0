package pap

import "context"

// FirstOperatorKey makes an operator key if the directory has none in force, so
// that there is somebody to begin with. keep gets its secret once, within the
// transaction: what it cannot keep is not made. Nobody asks for it, so the
// policy is not asked either.
func (p *PAP) FirstOperatorKey(ctx context.Context, keep func(secret string) error) error {
	var events []Event
	_, err := p.Store.Change(ctx, func(tx Tx) error {
		w, err := p.begin(ctx, Call{}, tx, tx)
		if err != nil {
			return err
		}
		w.actor.Actor = Actor{ID: "postern", Kind: "system"}
		if known, err := w.operatorKey(); known || err != nil {
			return err
		}
		made := seal(Token{Name: "first operator key", Kind: OperatorKey, Scopes: []Scope{ScopeOperator}, Organizations: []string{}, CreatedAt: w.now})
		if err := w.tx.PutToken(made.Token); err != nil {
			return err
		}
		if err := w.noteChange("service_token.created", "", made.ID, nil, made.Token); err != nil {
			return err
		}
		if err := w.record(); err != nil {
			return err
		}
		events = w.events
		return keep(made.Secret)
	})
	if err == nil {
		p.happened(events)
	}
	return err
}

// operatorKey says whether an operator key is in force.
func (w *work) operatorKey() (bool, error) {
	tokens, err := w.Tokens()
	if err != nil {
		return false, err
	}
	for _, t := range tokens {
		if t.Kind == OperatorKey && t.RevokedAt.IsZero() && (t.ExpiresAt.IsZero() || w.now.Before(t.ExpiresAt)) {
			return true, nil
		}
	}
	return false, nil
}
