INSERT INTO signing_keys (id, sealed, created_at) VALUES ('key1', x'0102', 1700000000000);
INSERT INTO clients (id, secret_hash, dynamic, metadata, created_at, used_at) VALUES
 ('machine', x'aa', 0, '{"name":"robot","auth_method":"client_secret_basic","grants":["client_credentials"],"scope":["calc:basic"],"bounded":true}', 1700000000000, 0),
 ('c1', NULL, 1, '{"name":"Client","auth_method":"none","type":"native","redirects":["http://127.0.0.1/cb"],"grants":["authorization_code","refresh_token"]}', 1700000000001, 1700000000002);
INSERT INTO users (id, name, password_hash, created_at) VALUES ('u1', 'ada', '$argon2id$', 1700000000000);
INSERT INTO sessions (hash, user_id, auth_time, expires_at) VALUES (x'7300000000000000000000000000000000000000000000000000000000000000', 'u1', 1700000000000, 9000000000000);
INSERT INTO consents (user_id, client_id, redirect_host, resource, scope, updated_at) VALUES ('u1', 'c1', 'host', 'r', 'a b', 1700000000000);
INSERT INTO spent_requests (hash, expires_at) VALUES (x'7100000000000000000000000000000000000000000000000000000000000000', 9000000000000);
INSERT INTO grants (id, client_id, user_id, resource, scope, auth_time, created_at, expires_at, revoked_at) VALUES
 ('g1', 'c1', 'u1', 'r', 'a', 1700000000000, 1700000000000, 9000000000000, 0),
 ('g2', 'c1', 'u1', 'r', 'a', 1700000000000, 1700000000000, 9000000000000, 1700000000009);
INSERT INTO codes (hash, grant_id, redirect_uri, challenge, thumbprint, expires_at, used_at) VALUES
 (x'6300000000000000000000000000000000000000000000000000000000000000', 'g1', 'http://127.0.0.1/cb', 'ch', 'jkt', 9000000000000, 0);
INSERT INTO refresh_tokens (hash, grant_id, thumbprint, expires_at, used_at, successor) VALUES
 (x'7200000000000000000000000000000000000000000000000000000000000000', 'g1', 'jkt', 9000000000000, 0, NULL),
 (x'6f00000000000000000000000000000000000000000000000000000000000000', 'g1', 'jkt', 9000000000000, 1700000000005, x'0203');
INSERT INTO access_tokens (id, grant_id, client_id, subject, expires_at) VALUES
 ('j1', 'g1', 'c1', 'u1', 9000000000000), ('j2', 'g1', 'c1', 'u1', 9000000000000), ('j3', '', 'machine', 'machine', 9000000000000);
INSERT INTO revocations (place) SELECT place FROM access_tokens WHERE id = 'j2';
