-- +goose Up
-- folded is the name as it is found by: no two people have the same. The program
-- fills it, because the two databases fold letters differently; it is '' until
-- then, and for good where somebody who came before has the same.
ALTER TABLE users ADD COLUMN folded TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX users_folded ON users (folded) WHERE folded <> '';
CREATE INDEX users_shared ON users (name) WHERE folded = '';

-- era counts how often everything that somebody had proved was ended: what was
-- proved in an earlier one lets nobody in.
ALTER TABLE users ADD COLUMN era INTEGER NOT NULL DEFAULT 0;

-- A verified address is one person's. Of those that are several people's nobody
-- knows whose they are.
UPDATE users SET email_verified = 0 WHERE email_verified = 1 AND email IN
    (SELECT email FROM users WHERE email_verified = 1 GROUP BY email HAVING count(*) > 1);
UPDATE users SET email_verified = 0 WHERE email = '' AND email_verified = 1;
DROP INDEX users_email;
CREATE UNIQUE INDEX users_verified_address ON users (email) WHERE email_verified = 1;
