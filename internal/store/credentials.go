package store

import (
	"database/sql"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

func (r reader) Credential(user string) (pap.Credential, error) {
	const query = `SELECT user_id, hash, set_at, set_by, failures, locked_until FROM credentials WHERE user_id = $1`
	return one(r, "password of "+user, func(row *sql.Rows) (c pap.Credential, err error) {
		var set, locked *int64
		err = scan(row, &c.User, &c.Hash, &set, &c.SetBy, &c.Failures, &locked)
		c.SetAt, c.LockedUntil = instant(set), moment(locked)
		return c, err
	}, query, user)
}

func (c change) PutCredential(p pap.Credential) error {
	return c.upsert("credentials", "user_id",
		column{name: "user_id", value: p.User},
		column{name: "hash", value: p.Hash},
		column{name: "set_at", value: p.SetAt.UnixMilli()},
		column{name: "set_by", value: p.SetBy},
		column{name: "failures", value: p.Failures},
		column{name: "locked_until", value: when(p.LockedUntil)},
	)
}

func (r reader) Reset(user string) (pap.Reset, error) {
	const query = `SELECT user_id, generation, expires_at, used_at FROM password_resets WHERE user_id = $1`
	return one(r, "password reset of "+user, func(row *sql.Rows) (p pap.Reset, err error) {
		var expires, used *int64
		err = scan(row, &p.User, &p.Generation, &expires, &used)
		p.ExpiresAt, p.UsedAt = instant(expires), moment(used)
		return p, err
	}, query, user)
}

func (c change) PutReset(p pap.Reset) error {
	return c.upsert("password_resets", "user_id",
		column{name: "user_id", value: p.User},
		column{name: "generation", value: p.Generation},
		column{name: "expires_at", value: p.ExpiresAt.UnixMilli()},
		column{name: "used_at", value: when(p.UsedAt)},
	)
}

const selectEmailChanges = `
	SELECT user_id, email, email_key, generation, expires_at, confirmed_at, effective_at FROM email_changes`

func readEmailChange(row *sql.Rows) (p pap.EmailChange, err error) {
	var expires, confirmed, effective *int64
	err = scan(row, &p.User, &p.Email, &p.EmailKey, &p.Generation, &expires, &confirmed, &effective)
	p.ExpiresAt, p.ConfirmedAt, p.EffectiveAt = instant(expires), moment(confirmed), moment(effective)
	return p, err
}

func (r reader) EmailChange(user string) (pap.EmailChange, error) {
	return one(r, "e-mail change of "+user, readEmailChange, selectEmailChanges+` WHERE user_id = $1`, user)
}

func (r reader) EmailChangesDue(now time.Time, limit int) ([]pap.EmailChange, error) {
	const due = ` WHERE effective_at <= $1 ORDER BY effective_at, user_id LIMIT $2`
	return list(r, readEmailChange, selectEmailChanges+due, now.UnixMilli(), limit)
}

func (c change) PutEmailChange(p pap.EmailChange) error {
	return c.upsert("email_changes", "user_id",
		column{name: "user_id", value: p.User},
		column{name: "email", value: p.Email},
		column{name: "email_key", value: p.EmailKey},
		column{name: "generation", value: p.Generation},
		column{name: "expires_at", value: p.ExpiresAt.UnixMilli()},
		column{name: "confirmed_at", value: when(p.ConfirmedAt)},
		column{name: "effective_at", value: when(p.EffectiveAt)},
	)
}
