-- +goose Up
-- People: how they prove who they are, what they may have, and what happened
-- when they signed in.
ALTER TABLE users ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN email_verified INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN full_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN password_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN disabled_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX users_email ON users (email) WHERE email_verified = 1;

-- How the person proved it (RFC 8176), each word once, in the order it was done.
ALTER TABLE sessions ADD COLUMN amr TEXT NOT NULL DEFAULT 'pwd';
ALTER TABLE sessions ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN amr TEXT NOT NULL DEFAULT 'pwd';

-- One generator of codes for each person (RFC 6238). step is the last one
-- whose code was taken: none is taken twice. confirmed_at is 0 while it is
-- being set up, and until then it opens nothing.
CREATE TABLE code_generators (
    user_id      TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed       BLOB NOT NULL,
    step         INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    confirmed_at INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash    BLOB NOT NULL,
    used_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, hash)
) STRICT;

-- credential is the WebAuthn credential as JSON. A passkey whose counter went
-- back is somebody's copy: cloned_at is not 0, and it opens nothing.
CREATE TABLE passkeys (
    id         BLOB PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    credential TEXT NOT NULL,
    counter    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL DEFAULT 0,
    cloned_at  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX passkeys_user ON passkeys (user_id);

-- Browsers at which no second factor is asked for until then.
CREATE TABLE remembered_browsers (
    hash       BLOB PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    agent      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX remembered_browsers_user ON remembered_browsers (user_id);
CREATE INDEX remembered_browsers_expiry ON remembered_browsers (expires_at);

-- Every attempt that was decided, with the reasons. user_id is '' when the
-- name is nobody's.
CREATE TABLE sign_ins (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id   TEXT NOT NULL,
    at        INTEGER NOT NULL,
    outcome   TEXT NOT NULL,
    reasons   TEXT NOT NULL,
    address   TEXT NOT NULL,
    agent     TEXT NOT NULL,
    client_id TEXT NOT NULL,
    amr       TEXT NOT NULL,
    seen_at   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX sign_ins_user ON sign_ins (user_id, number);
CREATE INDEX sign_ins_at ON sign_ins (at);

-- The pairs of network and user agent that a person signed in from.
CREATE TABLE known_contexts (
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    network    TEXT NOT NULL,
    agent      TEXT NOT NULL,
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    PRIMARY KEY (user_id, network, agent)
) STRICT;
CREATE INDEX known_contexts_last ON known_contexts (last_at);

-- Roles of people and of machine clients. source says who gave it:
-- 'assigned', or the name of the provider whose claims did.
CREATE TABLE user_roles (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role    TEXT NOT NULL,
    source  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (user_id, role, source)
) STRICT;
CREATE TABLE client_roles (
    client_id TEXT NOT NULL,
    role      TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (client_id, role)
) STRICT;

-- Links that work once: an invitation to sign up (user_id ''), or a new
-- password for a person.
CREATE TABLE tickets (
    hash       BLOB PRIMARY KEY,
    purpose    TEXT NOT NULL,
    user_id    TEXT NOT NULL DEFAULT '',
    email      TEXT NOT NULL DEFAULT '',
    roles      TEXT NOT NULL DEFAULT '',
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX tickets_expiry ON tickets (expires_at);

-- Who a person is at another provider (OpenID Connect Core §5.7: issuer and
-- subject together, never the address).
CREATE TABLE identities (
    issuer   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    provider TEXT NOT NULL,
    user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email    TEXT NOT NULL DEFAULT '',
    linked_at INTEGER NOT NULL,
    used_at  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (issuer, subject)
) STRICT;
CREATE INDEX identities_user ON identities (user_id);
