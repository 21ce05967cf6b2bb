-- +goose Up
-- Keys are numbered so that of several processes that add one at the same
-- time, one does. A key signs from signs_from on, until another does; one that
-- was revoked has no secret any more.
ALTER TABLE signing_keys ADD COLUMN number INTEGER NOT NULL DEFAULT 1;
ALTER TABLE signing_keys ADD COLUMN signs_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE signing_keys ADD COLUMN revoked_at INTEGER NOT NULL DEFAULT 0;
UPDATE signing_keys SET signs_from = created_at;
CREATE UNIQUE INDEX signing_keys_number ON signing_keys (number);
