-- +goose Up
-- Sessions that are kept in Redis, and were ended one by one. Redis may bring
-- one back; it is known here until it would have expired.
CREATE TABLE ended_sessions (
    hash       BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX ended_sessions_expiry ON ended_sessions (expires_at);
