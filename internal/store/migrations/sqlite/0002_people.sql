-- +goose Up

-- When anything about the row was last changed; what an ETag says.
ALTER TABLE organizations ADD COLUMN changed_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account_groups ADD COLUMN changed_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN changed_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN address TEXT CHECK (address IS NULL OR json_valid(address));
ALTER TABLE users ADD COLUMN email_verified_at INTEGER;

-- profile is who was invited, until there is a user to keep it.
ALTER TABLE memberships ADD COLUMN changed_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE memberships ADD COLUMN kind TEXT NOT NULL DEFAULT 'personal' CONSTRAINT membership_kind CHECK (kind IN ('personal', 'group'));
ALTER TABLE memberships ADD COLUMN profile TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(profile) AND json_type(profile) = 'object');
ALTER TABLE memberships ADD COLUMN preferences TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(preferences) AND json_type(preferences) = 'object');
ALTER TABLE memberships ADD COLUMN activated_at INTEGER;
ALTER TABLE memberships ADD COLUMN suspended_at INTEGER;
ALTER TABLE memberships ADD COLUMN removed_at INTEGER;
ALTER TABLE memberships ADD COLUMN purged_at INTEGER;
CREATE INDEX memberships_newest ON memberships (organization_id, created_at DESC, id DESC);

-- The limit that was asked for. It may be lowered below what is used: nobody
-- loses a seat then, and nobody gets one (C15). seat_limit is the limit that
-- holds until seats are given back, so that seats_used never exceeds it.
ALTER TABLE organizations ADD COLUMN seats_allowed INTEGER CHECK (seats_allowed > 0);
UPDATE organizations SET seats_allowed = seat_limit;

-- An account team takes no seat (R7).
UPDATE organizations SET seats_used = (SELECT count(*) FROM memberships m WHERE m.organization_id = organizations.id
  AND m.state IN ('invited', 'active', 'suspended') AND m.affiliation <> 'account_team');

ALTER TABLE tools ADD COLUMN recommended_for TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(recommended_for) AND json_type(recommended_for) = 'array');

-- Every name that was ever given, so that none is given twice (R33, R78).
CREATE TABLE usernames (
  username_key TEXT PRIMARY KEY,
  user_id      TEXT
) STRICT, WITHOUT ROWID;
INSERT INTO usernames (username_key, user_id) SELECT username_key, id FROM users;
INSERT INTO usernames (username_key) SELECT temporary_username_key FROM memberships WHERE temporary_username_key IS NOT NULL
  ON CONFLICT DO NOTHING;

-- An offer of a membership that waits. Its link is derived from id and
-- generation, so nothing here opens anything. Expired is no state: an expired
-- invitation is a pending one whose time has passed.
CREATE TABLE invitations (
  id               TEXT PRIMARY KEY,
  organization_id  TEXT NOT NULL,
  membership_id    TEXT NOT NULL UNIQUE,
  email            TEXT NOT NULL,
  email_key        TEXT NOT NULL,
  state            TEXT NOT NULL CONSTRAINT invitation_state CHECK (state IN ('pending', 'accepted', 'revoked', 'superseded')),
  generation       INTEGER NOT NULL CHECK (generation >= 1),
  failed_attempts  INTEGER NOT NULL DEFAULT 0,
  deliver          TEXT NOT NULL CHECK (deliver IN ('email', 'return_link', 'none')),
  ttl              INTEGER NOT NULL CHECK (ttl > 0),
  send_count       INTEGER NOT NULL DEFAULT 0,
  last_sent_at     INTEGER,
  delivery         TEXT NOT NULL DEFAULT 'none' CHECK (delivery IN ('none', 'queued', 'sent', 'failed')),
  delivery_reason  TEXT,
  inviter          TEXT NOT NULL CHECK (json_valid(inviter)),
  inviter_id       TEXT NOT NULL,
  expires_at       INTEGER NOT NULL,
  created_at       INTEGER NOT NULL,
  accepted_at      INTEGER,
  accepted_user_id TEXT REFERENCES users (id),
  changed_revision INTEGER NOT NULL,
  FOREIGN KEY (organization_id, membership_id) REFERENCES memberships (organization_id, id) ON DELETE CASCADE,
  CONSTRAINT invitation_accepted CHECK ((state = 'accepted') = (accepted_at IS NOT NULL AND accepted_user_id IS NOT NULL)),
  CONSTRAINT invitation_expiry CHECK (expires_at > created_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX invitations_newest ON invitations (organization_id, created_at DESC, id DESC);
CREATE INDEX invitations_by_email ON invitations (organization_id, email_key);
CREATE INDEX invitations_by_inviter ON invitations (inviter_id, created_at);

-- When mails went to an address, to count them (C14).
CREATE TABLE sent_mails (
  email_key TEXT NOT NULL,
  sent_at   INTEGER NOT NULL,
  id        TEXT NOT NULL,
  PRIMARY KEY (email_key, sent_at, id)
) STRICT, WITHOUT ROWID;

-- Passwords of users that sign in with one, as argon2id in PHC form.
CREATE TABLE credentials (
  user_id      TEXT PRIMARY KEY REFERENCES users (id),
  hash         TEXT NOT NULL,
  set_at       INTEGER NOT NULL,
  set_by       TEXT NOT NULL CHECK (set_by IN ('user', 'administrator')),
  failures     INTEGER NOT NULL DEFAULT 0,
  locked_until INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE password_resets (
  user_id    TEXT PRIMARY KEY REFERENCES users (id),
  generation INTEGER NOT NULL CHECK (generation >= 1),
  expires_at INTEGER NOT NULL,
  used_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE email_changes (
  user_id      TEXT PRIMARY KEY REFERENCES users (id),
  email        TEXT NOT NULL,
  email_key    TEXT NOT NULL,
  generation   INTEGER NOT NULL CHECK (generation >= 1),
  expires_at   INTEGER NOT NULL,
  confirmed_at INTEGER,
  effective_at INTEGER
) STRICT, WITHOUT ROWID;

-- What was changed, by whom and why: one chain of hashes per organization, ''
-- for what belongs to none. Rows are only ever added.
CREATE TABLE audit_events (
  organization_id TEXT NOT NULL,
  sequence        INTEGER NOT NULL CHECK (sequence >= 1),
  id              TEXT NOT NULL UNIQUE,
  revision        INTEGER NOT NULL,
  at              INTEGER NOT NULL,
  type            TEXT NOT NULL,
  target          TEXT NOT NULL,
  actor           TEXT NOT NULL CHECK (json_valid(actor)),
  actor_id        TEXT NOT NULL,
  before          TEXT CHECK (before IS NULL OR json_valid(before)),
  after           TEXT CHECK (after IS NULL OR json_valid(after)),
  decision_id     TEXT,
  request_id      TEXT,
  acknowledgement TEXT,
  previous_hash   BLOB NOT NULL,
  hash            BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (organization_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_events_by_target ON audit_events (organization_id, target, sequence);
-- +goose StatementBegin
CREATE TRIGGER audit_events_stay BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_events_remain BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END;
-- +goose StatementEnd

-- Mail and webhooks that were committed with what they tell of.
CREATE TABLE outbox (
  id              TEXT PRIMARY KEY,
  organization_id TEXT NOT NULL,
  revision        INTEGER NOT NULL,
  channel         TEXT NOT NULL CHECK (channel IN ('mail', 'webhook')),
  type            TEXT NOT NULL,
  recipient       TEXT NOT NULL,
  payload         TEXT NOT NULL CHECK (json_valid(payload)),
  created_at      INTEGER NOT NULL,
  available_at    INTEGER NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  locked_until    INTEGER,
  delivered_at    INTEGER,
  failed_at       INTEGER,
  last_error      TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_due ON outbox (available_at) WHERE delivered_at IS NULL AND failed_at IS NULL;
CREATE INDEX outbox_by_recipient ON outbox (recipient, revision, id) WHERE delivered_at IS NULL AND failed_at IS NULL;
CREATE INDEX outbox_done ON outbox (COALESCE(delivered_at, failed_at));
CREATE INDEX outbox_newest ON outbox (organization_id, created_at DESC, id DESC);

CREATE TABLE webhooks (
  id               TEXT PRIMARY KEY,
  organization_id  TEXT NOT NULL,
  url              TEXT NOT NULL,
  events           TEXT NOT NULL CHECK (json_valid(events) AND json_type(events) = 'array'),
  state            TEXT NOT NULL CHECK (state IN ('enabled', 'disabled')),
  generation       INTEGER NOT NULL CHECK (generation >= 1),
  previous_until   INTEGER,
  created_at       INTEGER NOT NULL,
  changed_revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Operator keys and service tokens. The secret is not here.
CREATE TABLE service_tokens (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL,
  kind          TEXT NOT NULL CHECK (kind IN ('operator_key', 'service_token')),
  hash          BLOB NOT NULL CHECK (length(hash) = 32),
  scopes        TEXT NOT NULL CHECK (json_valid(scopes) AND json_type(scopes) = 'array'),
  organizations TEXT NOT NULL CHECK (json_valid(organizations) AND json_type(organizations) = 'array'),
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER,
  revoked_at    INTEGER
) STRICT, WITHOUT ROWID;

-- What requests with an idempotency key came to. No answer is kept: it is
-- rendered again from the resource.
CREATE TABLE replays (
  principal   TEXT NOT NULL,
  route       TEXT NOT NULL,
  key         TEXT NOT NULL,
  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
  resource    TEXT NOT NULL,
  revision    INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  PRIMARY KEY (principal, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX replays_by_expiry ON replays (expires_at);
