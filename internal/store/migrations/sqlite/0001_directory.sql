-- +goose Up

-- The state of the directory as a whole: one row. Every write begins by
-- counting revision up here, so writers stand in line for this row and a
-- revision is never visible before those below it.
CREATE TABLE directory (
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  directory_id TEXT NOT NULL CHECK (length(directory_id) = 32),
  revision     INTEGER NOT NULL CHECK (revision >= 0),
  change_floor INTEGER NOT NULL CHECK (change_floor BETWEEN 0 AND revision)
) STRICT;
INSERT INTO directory (id, directory_id, revision, change_floor)
VALUES (1, lower(hex(randomblob(16))), 0, 0);

-- What changed in which revision, for followers: everything after change_floor.
CREATE TABLE changes (
  revision INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  kind     TEXT NOT NULL,
  key      TEXT NOT NULL,
  PRIMARY KEY (revision, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE organizations (
  id         TEXT PRIMARY KEY,
  kind       TEXT NOT NULL CONSTRAINT organization_kind CHECK (kind IN ('customer', 'partner', 'operator')),
  name       TEXT NOT NULL,
  seat_limit INTEGER CHECK (seat_limit > 0),
  seats_used INTEGER NOT NULL DEFAULT 0 CHECK (seats_used >= 0),
  settings   TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(settings) AND json_type(settings) = 'object'),
  created_at INTEGER NOT NULL,
  CONSTRAINT seats CHECK (seat_limit IS NULL OR seats_used <= seat_limit),
  UNIQUE (id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE companies (
  id              TEXT PRIMARY KEY,
  organization_id TEXT NOT NULL REFERENCES organizations (id),
  name            TEXT NOT NULL,
  UNIQUE (organization_id, id)
) STRICT, WITHOUT ROWID;

-- contract_kind and delivery_kind are constants that make the foreign keys say
-- what kind of account is meant. They hold at the end of a transaction, so
-- accounts may come in any order.
CREATE TABLE accounts (
  id              TEXT PRIMARY KEY,
  organization_id TEXT NOT NULL,
  company_id      TEXT NOT NULL,
  kind            TEXT NOT NULL CONSTRAINT account_kind CHECK (kind IN ('contract', 'delivery', 'billing', 'service')),
  name            TEXT NOT NULL,
  contract_id     TEXT,
  contract_kind   TEXT NOT NULL DEFAULT 'contract' CHECK (contract_kind = 'contract'),
  delivery_id     TEXT,
  delivery_kind   TEXT NOT NULL DEFAULT 'delivery' CHECK (delivery_kind = 'delivery'),
  CONSTRAINT account_in_accounts CHECK (kind IN ('billing', 'service') OR (contract_id IS NULL AND delivery_id IS NULL)),
  UNIQUE (company_id, id),
  UNIQUE (organization_id, id),
  UNIQUE (organization_id, id, kind),
  CONSTRAINT account_company FOREIGN KEY (organization_id, company_id) REFERENCES companies (organization_id, id),
  CONSTRAINT account_contract FOREIGN KEY (organization_id, contract_id, contract_kind)
    REFERENCES accounts (organization_id, id, kind) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT account_delivery FOREIGN KEY (organization_id, delivery_id, delivery_kind)
    REFERENCES accounts (organization_id, id, kind) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;
CREATE INDEX accounts_by_contract ON accounts (contract_id) WHERE contract_id IS NOT NULL;
CREATE INDEX accounts_by_delivery ON accounts (delivery_id) WHERE delivery_id IS NOT NULL;

CREATE TABLE account_groups (
  id              TEXT PRIMARY KEY,
  organization_id TEXT NOT NULL REFERENCES organizations (id),
  kind            TEXT NOT NULL CONSTRAINT account_group_kind
    CHECK (kind IN ('service_group', 'customer_group_identifier', 'emedia_configuration')),
  name            TEXT NOT NULL,
  UNIQUE (organization_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE account_group_members (
  organization_id  TEXT NOT NULL,
  account_group_id TEXT NOT NULL,
  account_id       TEXT NOT NULL,
  PRIMARY KEY (account_group_id, account_id),
  FOREIGN KEY (organization_id, account_group_id) REFERENCES account_groups (organization_id, id) ON DELETE CASCADE,
  FOREIGN KEY (organization_id, account_id) REFERENCES accounts (organization_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX account_group_members_by_account ON account_group_members (account_id);

CREATE TABLE tools (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  restricted INTEGER NOT NULL DEFAULT 0 CHECK (restricted IN (0, 1)),
  UNIQUE (id, restricted)
) STRICT, WITHOUT ROWID;

CREATE TABLE roles (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL,
  partner_only  INTEGER NOT NULL DEFAULT 0 CHECK (partner_only IN (0, 1)),
  operator_only INTEGER NOT NULL DEFAULT 0 CHECK (operator_only IN (0, 1)),
  UNIQUE (id, partner_only, operator_only)
) STRICT, WITHOUT ROWID;
INSERT INTO roles (id, name, partner_only, operator_only) VALUES
  ('primary_contact', 'Primary Contact', 0, 1),
  ('administrator', 'Administrator', 0, 0),
  ('regular', 'Regular', 0, 0),
  ('read_only', 'Read-Only', 0, 0),
  ('support', 'Support', 0, 0),
  ('sales', 'Sales', 1, 0),
  ('operator', 'Operator', 0, 1);

-- A removed user stays, so that its username and address stay taken (R80, R81).
CREATE TABLE users (
  id           TEXT PRIMARY KEY,
  kind         TEXT NOT NULL DEFAULT 'personal' CONSTRAINT user_kind CHECK (kind IN ('personal', 'group')),
  username     TEXT NOT NULL,
  username_key TEXT NOT NULL UNIQUE,
  email        TEXT,
  email_key    TEXT UNIQUE,
  given_name   TEXT,
  family_name  TEXT,
  phone        TEXT,
  country      TEXT,
  mfa_enrolled INTEGER NOT NULL DEFAULT 0 CHECK (mfa_enrolled IN (0, 1)),
  created_at   INTEGER NOT NULL,
  removed_at   INTEGER,
  UNIQUE (id, username_key),
  CHECK ((email IS NULL) = (email_key IS NULL))
) STRICT, WITHOUT ROWID;

-- login_key is the user's username_key or, while invited, that of the temporary
-- username: by it a membership is found within its organization. The role's and
-- the organization's flags stand here so that plain CHECKs can hold the rules
-- between tables; the foreign keys keep the flags honest.
CREATE TABLE memberships (
  id                     TEXT PRIMARY KEY,
  organization_id        TEXT NOT NULL,
  organization_kind      TEXT NOT NULL,
  user_id                TEXT,
  login_key              TEXT NOT NULL,
  temporary_username     TEXT,
  temporary_username_key TEXT UNIQUE,
  email                  TEXT,
  affiliation            TEXT NOT NULL CONSTRAINT membership_affiliation CHECK (affiliation IN ('customer', 'end_customer', 'account_team')),
  state                  TEXT NOT NULL CONSTRAINT membership_state CHECK (state IN ('invited', 'active', 'suspended', 'removed', 'superseded')),
  role_id                TEXT NOT NULL,
  role_partner_only      INTEGER NOT NULL,
  role_operator_only     INTEGER NOT NULL,
  role_assigned_by       TEXT NOT NULL CONSTRAINT role_assigned_by CHECK (role_assigned_by IN ('operator', 'user', 'scim', 'system')),
  cpni_authorized        INTEGER NOT NULL DEFAULT 0 CHECK (cpni_authorized IN (0, 1)),
  created_at             INTEGER NOT NULL,
  UNIQUE (organization_id, id),
  FOREIGN KEY (user_id, login_key) REFERENCES users (id, username_key) ON UPDATE CASCADE,
  FOREIGN KEY (organization_id, organization_kind) REFERENCES organizations (id, kind),
  CONSTRAINT membership_role FOREIGN KEY (role_id, role_partner_only, role_operator_only)
    REFERENCES roles (id, partner_only, operator_only) ON UPDATE CASCADE,
  CONSTRAINT account_team_primary_contact CHECK (NOT (affiliation = 'account_team' AND role_id = 'primary_contact')),
  CONSTRAINT role_operator_only CHECK (role_operator_only = 0 OR role_assigned_by IN ('operator', 'system')),
  CONSTRAINT role_partner_only CHECK (role_partner_only = 0 OR organization_kind = 'partner'),
  CONSTRAINT membership_user CHECK (state IN ('invited', 'superseded') OR user_id IS NOT NULL),
  CONSTRAINT membership_temporary_username CHECK (state <> 'invited' OR temporary_username IS NOT NULL),
  CHECK ((temporary_username IS NULL) = (temporary_username_key IS NULL))
) STRICT, WITHOUT ROWID;
-- One membership of a person in an organization: a removed one counts, so that
-- whoever was removed is restored and not made anew (R81).
CREATE UNIQUE INDEX memberships_by_user ON memberships (organization_id, user_id)
  WHERE state IN ('active', 'suspended', 'removed');
CREATE UNIQUE INDEX memberships_by_login ON memberships (organization_id, login_key)
  WHERE state <> 'superseded';
CREATE INDEX memberships_of_user ON memberships (user_id);

-- Which companies a membership is authorized to access (R24). Account grants
-- and tool lists lie within them, and go with them.
CREATE TABLE membership_companies (
  organization_id TEXT NOT NULL,
  membership_id   TEXT NOT NULL,
  company_id      TEXT NOT NULL,
  all_accounts    INTEGER NOT NULL DEFAULT 0 CHECK (all_accounts IN (0, 1)),
  granted_by      TEXT NOT NULL,
  granted_at      INTEGER NOT NULL,
  PRIMARY KEY (membership_id, company_id),
  FOREIGN KEY (organization_id, membership_id) REFERENCES memberships (organization_id, id) ON DELETE CASCADE,
  FOREIGN KEY (organization_id, company_id) REFERENCES companies (organization_id, id),
  CONSTRAINT granted_by CHECK (granted_by IN ('operator', 'user', 'scim', 'request', 'system'))
) STRICT, WITHOUT ROWID;

CREATE TABLE account_grants (
  membership_id TEXT NOT NULL,
  company_id    TEXT NOT NULL,
  account_id    TEXT NOT NULL,
  expires_at    INTEGER,
  granted_by    TEXT NOT NULL,
  granted_at    INTEGER NOT NULL,
  PRIMARY KEY (membership_id, account_id),
  FOREIGN KEY (membership_id, company_id) REFERENCES membership_companies (membership_id, company_id) ON DELETE CASCADE,
  FOREIGN KEY (company_id, account_id) REFERENCES accounts (company_id, id) ON UPDATE CASCADE,
  CONSTRAINT granted_by CHECK (granted_by IN ('operator', 'user', 'scim', 'request', 'system'))
) STRICT, WITHOUT ROWID;
CREATE INDEX account_grants_by_account ON account_grants (account_id);

CREATE TABLE account_group_grants (
  organization_id  TEXT NOT NULL,
  membership_id    TEXT NOT NULL,
  account_group_id TEXT NOT NULL,
  granted_by       TEXT NOT NULL,
  granted_at       INTEGER NOT NULL,
  PRIMARY KEY (membership_id, account_group_id),
  FOREIGN KEY (organization_id, membership_id) REFERENCES memberships (organization_id, id) ON DELETE CASCADE,
  FOREIGN KEY (organization_id, account_group_id) REFERENCES account_groups (organization_id, id) ON DELETE CASCADE,
  CONSTRAINT granted_by CHECK (granted_by IN ('operator', 'user', 'scim', 'request', 'system'))
) STRICT, WITHOUT ROWID;

CREATE TABLE tool_grants (
  membership_id   TEXT NOT NULL REFERENCES memberships (id) ON DELETE CASCADE,
  tool_id         TEXT NOT NULL,
  tool_restricted INTEGER NOT NULL,
  expires_at      INTEGER,
  granted_by      TEXT NOT NULL,
  granted_at      INTEGER NOT NULL,
  PRIMARY KEY (membership_id, tool_id),
  FOREIGN KEY (tool_id, tool_restricted) REFERENCES tools (id, restricted) ON UPDATE CASCADE,
  CONSTRAINT granted_by CHECK (granted_by IN ('operator', 'user', 'scim', 'request', 'system')),
  CONSTRAINT tool_restricted CHECK (tool_restricted = 0 OR granted_by = 'operator')
) STRICT, WITHOUT ROWID;

-- A tool starts with no accounts; its accounts are its own list, inside the
-- authorized companies (R30, R31).
CREATE TABLE tool_account_grants (
  membership_id TEXT NOT NULL,
  tool_id       TEXT NOT NULL,
  company_id    TEXT NOT NULL,
  account_id    TEXT NOT NULL,
  granted_by    TEXT NOT NULL,
  granted_at    INTEGER NOT NULL,
  PRIMARY KEY (membership_id, tool_id, account_id),
  FOREIGN KEY (membership_id, tool_id) REFERENCES tool_grants (membership_id, tool_id) ON DELETE CASCADE,
  FOREIGN KEY (membership_id, company_id) REFERENCES membership_companies (membership_id, company_id) ON DELETE CASCADE,
  FOREIGN KEY (company_id, account_id) REFERENCES accounts (company_id, id) ON UPDATE CASCADE,
  CONSTRAINT granted_by CHECK (granted_by IN ('operator', 'user', 'scim', 'request', 'system'))
) STRICT, WITHOUT ROWID;
CREATE INDEX tool_account_grants_by_account ON tool_account_grants (account_id);

-- Keys of applications that ask for decisions. The secret is not here.
CREATE TABLE app_keys (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL,
  hash          BLOB NOT NULL CHECK (length(hash) > 0),
  organizations TEXT NOT NULL CHECK (json_valid(organizations) AND json_type(organizations) = 'array'),
  actions       TEXT NOT NULL CHECK (json_valid(actions) AND json_type(actions) = 'array'),
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER,
  revoked_at    INTEGER
) STRICT, WITHOUT ROWID;
