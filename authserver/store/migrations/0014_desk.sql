-- +goose Up
-- What administrators list is found in its order, without reading everything.
CREATE INDEX users_address ON users (email, name);
CREATE INDEX clients_created ON clients (created_at, id);
DROP INDEX clients_unused;
CREATE INDEX clients_unused ON clients (created_at, id) WHERE dynamic = 1 AND used_at = 0;
CREATE INDEX grants_user_created ON grants (user_id, created_at, id);
CREATE INDEX grants_client_created ON grants (client_id, created_at, id);
CREATE INDEX sessions_created ON sessions (created_at, hash);
CREATE INDEX user_roles_role ON user_roles (role, user_id, source);
CREATE INDEX client_roles_role ON client_roles (role, client_id);
