CREATE TABLE customers (
  id integer PRIMARY KEY,
  name text NOT NULL,
  email text UNIQUE
);
CREATE TABLE orders (
  id serial PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES customers (id) DEFERRABLE INITIALLY DEFERRED,
  placed_at timestamptz NOT NULL DEFAULT '2025-01-02 03:04:05+00'
);
INSERT INTO customers VALUES (1, 'Ada Byron', 'ada1@example.com'), (2, '50% off_!', NULL);
INSERT INTO orders (customer_id) VALUES (1), (2), (1);
CREATE SCHEMA "odd schema";
CREATE TABLE "odd schema"."odd ""table"" name" ("odd ""column""" text);
INSERT INTO "odd schema"."odd ""table"" name" VALUES ('needle');
CREATE VIEW names AS SELECT name FROM customers;
CREATE PROCEDURE writes_inside() LANGUAGE plpgsql AS $$ BEGIN DELETE FROM orders; COMMIT; END $$;
CREATE FUNCTION deletes() RETURNS integer LANGUAGE sql AS 'DELETE FROM orders; SELECT 1';
CREATE SEQUENCE counter;
