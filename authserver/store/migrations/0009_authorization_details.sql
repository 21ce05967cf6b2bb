-- +goose Up
-- Authorization details (RFC 9396) as JSON in its canonical form, '' for none.
ALTER TABLE grants ADD COLUMN details TEXT NOT NULL DEFAULT '';
ALTER TABLE device_requests ADD COLUMN details TEXT NOT NULL DEFAULT '';
