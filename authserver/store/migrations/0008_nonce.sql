-- +goose Up
-- What an OpenID client put into its request, to find it in the ID token.
ALTER TABLE codes ADD COLUMN nonce TEXT NOT NULL DEFAULT '';
