PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO goose_db_version VALUES(1,0,1,'2026-11-21 10:33:28');
INSERT INTO goose_db_version VALUES(2,1,1,'2026-11-21 10:33:28');
INSERT INTO goose_db_version VALUES(3,2,1,'2026-11-21 10:33:28');
CREATE TABLE signing_keys (
    id         TEXT PRIMARY KEY,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO signing_keys VALUES('key1',X'0102',1700000000000);
CREATE TABLE clients (
    id          TEXT PRIMARY KEY,
    secret_hash BLOB,
    dynamic     INTEGER NOT NULL,
    metadata    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    used_at     INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO clients VALUES('machine',X'aa',0,'{"name":"robot","auth_method":"client_secret_basic","grants":["client_credentials"],"scope":["calc:basic"],"bounded":true}',1700000000000,0);
INSERT INTO clients VALUES('c1',NULL,1,'{"name":"Client","auth_method":"none","type":"native","redirects":["http://127.0.0.1/cb"],"grants":["authorization_code","refresh_token"]}',1700000000001,1700000000002);
CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;
INSERT INTO users VALUES('u1','ada','$argon2id$',1700000000000);
CREATE TABLE sessions (
    hash       BLOB PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    auth_time  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
INSERT INTO sessions VALUES(X'7300000000000000000000000000000000000000000000000000000000000000','u1',1700000000000,9000000000000);
CREATE TABLE consents (
    user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id     TEXT NOT NULL,
    redirect_host TEXT NOT NULL,
    resource      TEXT NOT NULL,
    scope         TEXT NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (user_id, client_id, redirect_host, resource)
) STRICT;
INSERT INTO consents VALUES('u1','c1','host','r','a b',1700000000000);
CREATE TABLE spent_requests (
    hash       BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT;
INSERT INTO spent_requests VALUES(X'7100000000000000000000000000000000000000000000000000000000000000',9000000000000);
CREATE TABLE grants (
    id         TEXT PRIMARY KEY,
    client_id  TEXT NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    resource   TEXT NOT NULL,
    scope      TEXT NOT NULL,
    auth_time  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO grants VALUES('g1','c1','u1','r','a',1700000000000,1700000000000,9000000000000,0);
INSERT INTO grants VALUES('g2','c1','u1','r','a',1700000000000,1700000000000,9000000000000,1700000000009);
CREATE TABLE codes (
    hash         BLOB PRIMARY KEY,
    grant_id     TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    challenge    TEXT NOT NULL,
    thumbprint   TEXT NOT NULL,
    expires_at   INTEGER NOT NULL,
    used_at      INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO codes VALUES(X'6300000000000000000000000000000000000000000000000000000000000000','g1','http://127.0.0.1/cb','ch','jkt',9000000000000,0);
CREATE TABLE refresh_tokens (
    hash       BLOB PRIMARY KEY,
    grant_id   TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    thumbprint TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL DEFAULT 0,
    successor  BLOB
) STRICT;
INSERT INTO refresh_tokens VALUES(X'7200000000000000000000000000000000000000000000000000000000000000','g1','jkt',9000000000000,0,NULL);
INSERT INTO refresh_tokens VALUES(X'6f00000000000000000000000000000000000000000000000000000000000000','g1','jkt',9000000000000,1700000000005,X'0203');
CREATE TABLE access_tokens (
    place      INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    grant_id   TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    subject    TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
INSERT INTO access_tokens VALUES(1,'j1','g1','c1','u1',9000000000000);
INSERT INTO access_tokens VALUES(2,'j2','g1','c1','u1',9000000000000);
INSERT INTO access_tokens VALUES(3,'j3','','machine','machine',9000000000000);
CREATE TABLE revocations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    place  INTEGER NOT NULL UNIQUE REFERENCES access_tokens (place) ON DELETE CASCADE
) STRICT;
INSERT INTO revocations VALUES(1,2);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('goose_db_version',3);
INSERT INTO sqlite_sequence VALUES('access_tokens',3);
INSERT INTO sqlite_sequence VALUES('revocations',1);
CREATE INDEX clients_unused ON clients (created_at) WHERE dynamic = 1 AND used_at = 0;
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE INDEX spent_requests_expiry ON spent_requests (expires_at);
CREATE INDEX grants_expiry ON grants (expires_at);
CREATE INDEX codes_grant ON codes (grant_id);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
CREATE INDEX access_tokens_grant ON access_tokens (grant_id);
CREATE INDEX access_tokens_client ON access_tokens (client_id);
CREATE INDEX access_tokens_subject ON access_tokens (subject);
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at);
COMMIT;
