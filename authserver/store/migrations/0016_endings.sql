-- +goose Up
-- What was ended, and whose access tokens are not all in revocations yet: a
-- grant's, those of a subject or a client, or those of a machine of its own, up
-- to a place. Until the row is gone they are revoked all the same. listed is the
-- last place that is in revocations.
CREATE TABLE endings (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    TEXT NOT NULL,
    value   TEXT NOT NULL,
    through INTEGER NOT NULL,
    listed  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX endings_value ON endings (value);

-- A batch begins where the one before has ended.
DROP INDEX access_tokens_grant;
DROP INDEX access_tokens_client;
DROP INDEX access_tokens_subject;
CREATE INDEX access_tokens_grant ON access_tokens (grant_id, place);
CREATE INDEX access_tokens_client ON access_tokens (client_id, place);
CREATE INDEX access_tokens_subject ON access_tokens (subject, place);

-- Clients that registered themselves: from what network, and when they first
-- sent a person.
ALTER TABLE clients ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN started_at INTEGER NOT NULL DEFAULT 0;
DROP INDEX clients_unused;
CREATE INDEX clients_unused ON clients (network, created_at, id, started_at) WHERE dynamic = 1 AND used_at = 0;
