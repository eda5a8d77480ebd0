-- +goose Up

-- When anything about the row was last changed; what an ETag says.
ALTER TABLE organizations ADD COLUMN changed_revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account_groups ADD COLUMN changed_revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN changed_revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN address TEXT COLLATE "C" CHECK (address IS NULL OR json_typeof(CAST(address AS JSON)) IS NOT NULL);
ALTER TABLE users ADD COLUMN email_verified_at BIGINT;

-- profile is who was invited, until there is a user to keep it.
ALTER TABLE memberships ADD COLUMN changed_revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE memberships ADD COLUMN kind TEXT COLLATE "C" NOT NULL DEFAULT 'personal' CONSTRAINT membership_kind CHECK (kind IN ('personal', 'group'));
ALTER TABLE memberships ADD COLUMN profile TEXT COLLATE "C" NOT NULL DEFAULT '{}' CHECK (json_typeof(CAST(profile AS JSON)) = 'object');
ALTER TABLE memberships ADD COLUMN preferences TEXT COLLATE "C" NOT NULL DEFAULT '{}' CHECK (json_typeof(CAST(preferences AS JSON)) = 'object');
ALTER TABLE memberships ADD COLUMN activated_at BIGINT;
ALTER TABLE memberships ADD COLUMN suspended_at BIGINT;
ALTER TABLE memberships ADD COLUMN removed_at BIGINT;
ALTER TABLE memberships ADD COLUMN purged_at BIGINT;
CREATE INDEX memberships_newest ON memberships (organization_id, created_at DESC, id DESC);

-- The limit that was asked for. It may be lowered below what is used: nobody
-- loses a seat then, and nobody gets one (C15). seat_limit is the limit that
-- holds until seats are given back, so that seats_used never exceeds it.
ALTER TABLE organizations ADD COLUMN seats_allowed BIGINT CHECK (seats_allowed > 0);
UPDATE organizations SET seats_allowed = seat_limit;

-- An account team takes no seat (R7).
UPDATE organizations SET seats_used = (SELECT count(*) FROM memberships m WHERE m.organization_id = organizations.id
  AND m.state IN ('invited', 'active', 'suspended') AND m.affiliation <> 'account_team');

ALTER TABLE tools ADD COLUMN recommended_for TEXT COLLATE "C" NOT NULL DEFAULT '[]' CHECK (json_typeof(CAST(recommended_for AS JSON)) = 'array');

-- Every name that was ever given, so that none is given twice (R33, R78).
CREATE TABLE usernames (
  username_key TEXT COLLATE "C" PRIMARY KEY,
  user_id      TEXT COLLATE "C"
);
INSERT INTO usernames (username_key, user_id) SELECT username_key, id FROM users;
INSERT INTO usernames (username_key) SELECT temporary_username_key FROM memberships WHERE temporary_username_key IS NOT NULL
  ON CONFLICT DO NOTHING;

-- An offer of a membership that waits. Its link is derived from id and
-- generation, so nothing here opens anything. Expired is no state: an expired
-- invitation is a pending one whose time has passed.
CREATE TABLE invitations (
  id               TEXT COLLATE "C" PRIMARY KEY,
  organization_id  TEXT COLLATE "C" NOT NULL,
  membership_id    TEXT COLLATE "C" NOT NULL UNIQUE,
  email            TEXT COLLATE "C" NOT NULL,
  email_key        TEXT COLLATE "C" NOT NULL,
  state            TEXT COLLATE "C" NOT NULL CONSTRAINT invitation_state CHECK (state IN ('pending', 'accepted', 'revoked', 'superseded')),
  generation       BIGINT NOT NULL CHECK (generation >= 1),
  failed_attempts  BIGINT NOT NULL DEFAULT 0,
  deliver          TEXT COLLATE "C" NOT NULL CHECK (deliver IN ('email', 'return_link', 'none')),
  ttl              BIGINT NOT NULL CHECK (ttl > 0),
  send_count       BIGINT NOT NULL DEFAULT 0,
  last_sent_at     BIGINT,
  delivery         TEXT COLLATE "C" NOT NULL DEFAULT 'none' CHECK (delivery IN ('none', 'queued', 'sent', 'failed')),
  delivery_reason  TEXT COLLATE "C",
  inviter          TEXT COLLATE "C" NOT NULL CHECK (json_typeof(CAST(inviter AS JSON)) IS NOT NULL),
  inviter_id       TEXT COLLATE "C" NOT NULL,
  expires_at       BIGINT NOT NULL,
  created_at       BIGINT NOT NULL,
  accepted_at      BIGINT,
  accepted_user_id TEXT COLLATE "C" REFERENCES users (id),
  changed_revision BIGINT NOT NULL,
  FOREIGN KEY (organization_id, membership_id) REFERENCES memberships (organization_id, id) ON DELETE CASCADE,
  CONSTRAINT invitation_accepted CHECK ((state = 'accepted') = (accepted_at IS NOT NULL AND accepted_user_id IS NOT NULL)),
  CONSTRAINT invitation_expiry CHECK (expires_at > created_at)
);
CREATE INDEX invitations_newest ON invitations (organization_id, created_at DESC, id DESC);
CREATE INDEX invitations_by_email ON invitations (organization_id, email_key);
CREATE INDEX invitations_by_inviter ON invitations (inviter_id, created_at);

-- When mails went to an address, to count them (C14).
CREATE TABLE sent_mails (
  email_key TEXT COLLATE "C" NOT NULL,
  sent_at   BIGINT NOT NULL,
  id        TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (email_key, sent_at, id)
);

-- Passwords of users that sign in with one, as argon2id in PHC form.
CREATE TABLE credentials (
  user_id      TEXT COLLATE "C" PRIMARY KEY REFERENCES users (id),
  hash         TEXT COLLATE "C" NOT NULL,
  set_at       BIGINT NOT NULL,
  set_by       TEXT COLLATE "C" NOT NULL CHECK (set_by IN ('user', 'administrator')),
  failures     BIGINT NOT NULL DEFAULT 0,
  locked_until BIGINT
);

CREATE TABLE password_resets (
  user_id    TEXT COLLATE "C" PRIMARY KEY REFERENCES users (id),
  generation BIGINT NOT NULL CHECK (generation >= 1),
  expires_at BIGINT NOT NULL,
  used_at    BIGINT
);

CREATE TABLE email_changes (
  user_id      TEXT COLLATE "C" PRIMARY KEY REFERENCES users (id),
  email        TEXT COLLATE "C" NOT NULL,
  email_key    TEXT COLLATE "C" NOT NULL,
  generation   BIGINT NOT NULL CHECK (generation >= 1),
  expires_at   BIGINT NOT NULL,
  confirmed_at BIGINT,
  effective_at BIGINT
);

-- What was changed, by whom and why: one chain of hashes per organization, ''
-- for what belongs to none. Rows are only ever added.
CREATE TABLE audit_events (
  organization_id TEXT COLLATE "C" NOT NULL,
  sequence        BIGINT NOT NULL CHECK (sequence >= 1),
  id              TEXT COLLATE "C" NOT NULL UNIQUE,
  revision        BIGINT NOT NULL,
  at              BIGINT NOT NULL,
  type            TEXT COLLATE "C" NOT NULL,
  target          TEXT COLLATE "C" NOT NULL,
  actor           TEXT COLLATE "C" NOT NULL CHECK (json_typeof(CAST(actor AS JSON)) IS NOT NULL),
  actor_id        TEXT COLLATE "C" NOT NULL,
  before          TEXT COLLATE "C" CHECK (before IS NULL OR json_typeof(CAST(before AS JSON)) IS NOT NULL),
  after           TEXT COLLATE "C" CHECK (after IS NULL OR json_typeof(CAST(after AS JSON)) IS NOT NULL),
  decision_id     TEXT COLLATE "C",
  request_id      TEXT COLLATE "C",
  acknowledgement TEXT COLLATE "C",
  previous_hash   BYTEA NOT NULL,
  hash            BYTEA NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (organization_id, sequence)
);
CREATE INDEX audit_events_by_target ON audit_events (organization_id, target, sequence);
-- +goose StatementBegin
CREATE FUNCTION audit_events_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit events are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'audit_events_stay';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_events_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
  FOR EACH STATEMENT EXECUTE FUNCTION audit_events_stay();

-- Mail and webhooks that were committed with what they tell of.
CREATE TABLE outbox (
  id              TEXT COLLATE "C" PRIMARY KEY,
  organization_id TEXT COLLATE "C" NOT NULL,
  revision        BIGINT NOT NULL,
  channel         TEXT COLLATE "C" NOT NULL CHECK (channel IN ('mail', 'webhook')),
  type            TEXT COLLATE "C" NOT NULL,
  recipient       TEXT COLLATE "C" NOT NULL,
  payload         TEXT COLLATE "C" NOT NULL CHECK (json_typeof(CAST(payload AS JSON)) IS NOT NULL),
  created_at      BIGINT NOT NULL,
  available_at    BIGINT NOT NULL,
  attempts        BIGINT NOT NULL DEFAULT 0,
  locked_until    BIGINT,
  delivered_at    BIGINT,
  failed_at       BIGINT,
  last_error      TEXT COLLATE "C"
);
CREATE INDEX outbox_due ON outbox (available_at) WHERE delivered_at IS NULL AND failed_at IS NULL;
CREATE INDEX outbox_by_recipient ON outbox (recipient, revision, id) WHERE delivered_at IS NULL AND failed_at IS NULL;
CREATE INDEX outbox_done ON outbox (COALESCE(delivered_at, failed_at));
CREATE INDEX outbox_newest ON outbox (organization_id, created_at DESC, id DESC);

CREATE TABLE webhooks (
  id               TEXT COLLATE "C" PRIMARY KEY,
  organization_id  TEXT COLLATE "C" NOT NULL,
  url              TEXT COLLATE "C" NOT NULL,
  events           TEXT COLLATE "C" NOT NULL CHECK (json_typeof(CAST(events AS JSON)) = 'array'),
  state            TEXT COLLATE "C" NOT NULL CHECK (state IN ('enabled', 'disabled')),
  generation       BIGINT NOT NULL CHECK (generation >= 1),
  previous_until   BIGINT,
  created_at       BIGINT NOT NULL,
  changed_revision BIGINT NOT NULL
);

-- Operator keys and service tokens. The secret is not here.
CREATE TABLE service_tokens (
  id            TEXT COLLATE "C" PRIMARY KEY,
  name          TEXT COLLATE "C" NOT NULL,
  kind          TEXT COLLATE "C" NOT NULL CHECK (kind IN ('operator_key', 'service_token')),
  hash          BYTEA NOT NULL CHECK (length(hash) = 32),
  scopes        TEXT COLLATE "C" NOT NULL CHECK (json_typeof(CAST(scopes AS JSON)) = 'array'),
  organizations TEXT COLLATE "C" NOT NULL CHECK (json_typeof(CAST(organizations AS JSON)) = 'array'),
  created_at    BIGINT NOT NULL,
  expires_at    BIGINT,
  revoked_at    BIGINT
);

-- What requests with an idempotency key came to. No answer is kept: it is
-- rendered again from the resource.
CREATE TABLE replays (
  principal   TEXT COLLATE "C" NOT NULL,
  route       TEXT COLLATE "C" NOT NULL,
  key         TEXT COLLATE "C" NOT NULL,
  fingerprint BYTEA NOT NULL CHECK (length(fingerprint) = 32),
  resource    TEXT COLLATE "C" NOT NULL,
  revision    BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL,
  PRIMARY KEY (principal, route, key)
);
CREATE INDEX replays_by_expiry ON replays (expires_at);
