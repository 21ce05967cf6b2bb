package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
)

// Client finds a client by id.
func (s *DB) Client(ctx context.Context, id string) (Client, error) {
	var (
		c       Client
		doc     []byte
		created int64
	)
	err := s.read.QueryRowContext(ctx,
		"SELECT id, secret_hash, dynamic, metadata, created_at, dynamic = 1 AND used_at = 0 AND started_at = 0 FROM clients WHERE id = $1", id).
		Scan(&c.ID, &c.SecretHash, &c.Dynamic, &doc, &created, &c.Fresh)
	if err != nil {
		return Client{}, found(err)
	}
	if err := json.Unmarshal(doc, &c); err != nil {
		return Client{}, err
	}
	c.CreatedAt, c.Version = moment(created), versionOf(doc)
	return c, nil
}

// versionOf tells metadata from any other.
func versionOf(metadata []byte) string {
	sum := sha256.Sum256(metadata)
	return hex.EncodeToString(sum[:16])
}

// sameClient keeps a client as it is until the transaction ends: ErrChanged
// when it is not of this version any more. "" is a client that is not stored.
func (s *DB) sameClient(ctx context.Context, tx *sql.Tx, id, version string) error {
	if version == "" {
		return nil
	}
	var metadata []byte
	err := tx.QueryRowContext(ctx, "SELECT metadata FROM clients WHERE id = $1"+s.dialect.steady, id).Scan(&metadata)
	if errors.Is(err, sql.ErrNoRows) || err == nil && versionOf(metadata) != version {
		return ErrChanged
	}
	return err
}

// useClient notes that a person allowed a client something.
func useClient(ctx context.Context, tx *sql.Tx, id string, now time.Time) error {
	_, err := tx.ExecContext(ctx, "UPDATE clients SET used_at = $1 WHERE id = $2 AND used_at = 0", millis(now), id)
	return err
}

// StartClient notes that somebody came with a client for the first time.
func (s *DB) StartClient(ctx context.Context, id string, now time.Time) error {
	_, err := s.write.ExecContext(ctx, "UPDATE clients SET started_at = $1 WHERE id = $2 AND started_at = 0", millis(now), id)
	return err
}

// AddClient keeps a new client. Of those that registered themselves and were
// never used at most about limit are kept. One that is new, or that somebody
// just came with, makes room only when its network has more of them than the new
// one's: ErrFull when there is none to drop.
func (s *DB) AddClient(ctx context.Context, c Client, limit int) error {
	if c.Dynamic {
		if err := s.makeRoom(ctx, c, limit); err != nil {
			return err
		}
	}
	return s.transact(ctx, s.dialect.locking, func(tx *sql.Tx) error { return insertClient(ctx, tx, c) })
}

// youngClient is how long a client has time for its first person, and that one
// to answer.
const youngClient = time.Hour

// mostDropped are dropped for one that is new.
const mostDropped = 100

const unused = " dynamic = 1 AND used_at = 0 "

func (s *DB) makeRoom(ctx context.Context, c Client, limit int) error {
	return s.transact(ctx, s.dialect.locking, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM clients WHERE"+unused).Scan(&n); err != nil || n < limit {
			return err
		}
		// What others drop at the same time makes room as well.
		old, err := words(tx.QueryContext(ctx, "SELECT id FROM clients WHERE"+unused+
			"AND created_at < $1 AND started_at < $1 ORDER BY created_at, id LIMIT $2", millis(c.CreatedAt.Add(-youngClient)), min(n-limit+1, mostDropped)))
		if err != nil {
			return err
		}
		if len(old) == 0 {
			return dropYoung(ctx, tx, c.Network)
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM clients WHERE"+unused+"AND id "+oneOf(1, len(old)), anys(old)...)
		return err
	})
}

// dropYoung makes room for a client of a network at the cost of the one that has
// the most: whoever registers without end drops its own.
func dropYoung(ctx context.Context, tx *sql.Tx, network string) error {
	var crowd string
	var most, own int
	err := tx.QueryRowContext(ctx, "SELECT network, count(*) FROM clients WHERE"+unused+"GROUP BY network ORDER BY count(*) DESC, network LIMIT 1").
		Scan(&crowd, &most)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // they are all used by now
	}
	if err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM clients WHERE"+unused+"AND network = $1", network).Scan(&own); err != nil {
		return err
	}
	if most < own+2 {
		return ErrFull
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM clients WHERE"+unused+"AND id = (SELECT id FROM clients WHERE"+unused+
		"AND network = $1 ORDER BY CASE WHEN started_at > 0 THEN 1 ELSE 0 END, created_at, id LIMIT 1)", crowd)
	return err
}

func insertClient(ctx context.Context, tx *sql.Tx, c Client) error {
	doc, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return exactlyOne(ctx, tx, ErrExists,
		`INSERT INTO clients (id, secret_hash, dynamic, metadata, created_at, network)
		 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		c.ID, c.SecretHash, flag(c.Dynamic), string(doc), millis(c.CreatedAt), c.Network)
}
