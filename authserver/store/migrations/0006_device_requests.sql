-- +goose Up
-- A device that waits for a person. What it asks for is answered when it has a
-- grant, or was denied; the grant's first tokens are taken once.
CREATE TABLE device_requests (
    hash       BLOB PRIMARY KEY,
    user_code  BLOB NOT NULL UNIQUE,
    client_id  TEXT NOT NULL,
    resource   TEXT NOT NULL,
    scope      TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    pace       INTEGER NOT NULL,
    polled_at  INTEGER NOT NULL DEFAULT 0,
    grant_id   TEXT REFERENCES grants (id) ON DELETE CASCADE,
    denied_at  INTEGER NOT NULL DEFAULT 0,
    used_at    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX device_requests_grant ON device_requests (grant_id);
CREATE INDEX device_requests_expiry ON device_requests (expires_at);
