-- +goose Up
-- Who made them: with what that person or client may, theirs end.
CREATE INDEX tickets_maker ON tickets (created_by);
