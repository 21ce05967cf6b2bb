-- +goose Up
-- Whose tickets they are: a new one takes the place of those before.
CREATE INDEX tickets_user ON tickets (user_id);
