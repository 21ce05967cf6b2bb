-- +goose Up
-- People who were sent to another provider and have not come back. Each comes
-- back once: the row is deleted then. sealed is where they were going and what
-- was asked there.
CREATE TABLE departures (
    hash       BLOB PRIMARY KEY,
    sealed     BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX departures_expiry ON departures (expires_at);
CREATE INDEX user_roles_source ON user_roles (source);
