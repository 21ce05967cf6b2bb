-- +goose Up
-- What ends with a person or a client is found without reading everything.
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX consents_client ON consents (client_id);
CREATE INDEX grants_user ON grants (user_id);
CREATE INDEX grants_client ON grants (client_id);
