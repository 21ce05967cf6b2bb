-- +goose Up
-- When the person signed in last, 0 for never: what is remembered of the
-- sign-ins themselves goes with time.
ALTER TABLE users ADD COLUMN signed_in_at INTEGER NOT NULL DEFAULT 0;

-- network is what the address is counted by. browser names one that the person
-- had signed in at before, '' any other. amr '' says that nothing was proven.
ALTER TABLE sign_ins ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE sign_ins ADD COLUMN browser TEXT NOT NULL DEFAULT '';
