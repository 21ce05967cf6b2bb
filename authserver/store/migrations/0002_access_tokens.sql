-- +goose Up
-- An access token's place is its index in the status lists, over all pages:
-- AUTOINCREMENT gives none twice. The row ends with the token, and what it came
-- from may end before. Tokens without a row, such as those of a schema before
-- this one, count as revoked.
CREATE TABLE access_tokens (
    place      INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    grant_id   TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    subject    TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX access_tokens_grant ON access_tokens (grant_id);
CREATE INDEX access_tokens_client ON access_tokens (client_id);
CREATE INDEX access_tokens_subject ON access_tokens (subject);
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at);

-- Numbered in the order of their transactions, so that whoever passes them on
-- knows where it stopped.
CREATE TABLE revocations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    place  INTEGER NOT NULL UNIQUE REFERENCES access_tokens (place) ON DELETE CASCADE
) STRICT;

DROP TABLE revoked_tokens;
