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
		"SELECT id, secret_hash, dynamic, metadata, created_at FROM clients WHERE id = $1", id).
		Scan(&c.ID, &c.SecretHash, &c.Dynamic, &doc, &created)
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

// AddClient keeps a new client. Of the dynamic ones that nobody ever used, the
// oldest beyond limit are dropped to make room.
func (s *DB) AddClient(ctx context.Context, c Client, limit int) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := insertClient(ctx, tx, c); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx,
			`DELETE FROM clients WHERE id IN (
			   SELECT id FROM clients WHERE dynamic = 1 AND used_at = 0 AND id <> $1
			   ORDER BY created_at DESC, id DESC LIMIT 1000 OFFSET $2)`, c.ID, max(0, limit-int(flag(c.Dynamic))))
		return err
	})
}

func insertClient(ctx context.Context, tx *sql.Tx, c Client) error {
	doc, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return exactlyOne(ctx, tx, ErrExists,
		`INSERT INTO clients (id, secret_hash, dynamic, metadata, created_at)
		 VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		c.ID, c.SecretHash, flag(c.Dynamic), string(doc), millis(c.CreatedAt))
}
