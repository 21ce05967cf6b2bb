package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

var postgres = dialect{
	goose:   goose.DialectPostgres,
	serial:  &sql.TxOptions{Isolation: sql.LevelSerializable},
	locking: &sql.TxOptions{Isolation: sql.LevelReadCommitted},
	alone:   " FOR NO KEY UPDATE",
	beside:  " FOR KEY SHARE",
	steady:  " FOR SHARE",
	ended:   " FOR UPDATE",
	inOrder: "SELECT pg_advisory_xact_lock(7089327415604421)",
	// A sequence counts what transactions that are still open have taken, too.
	lastPlace: "SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last FROM access_tokens_place_seq",
}

const (
	connectTimeout = 5 * time.Second
	connections    = 16 // of one process, unless the URL says pool_max_conns
	leastPool      = 2
	mostPool       = 1000
)

// What every connection asks of the server, unless the URL says otherwise: no
// statement, lock or forgotten transaction keeps others waiting for long.
var bounds = map[string]string{
	"application_name":                    "postern",
	"statement_timeout":                   "10s",
	"lock_timeout":                        "5s",
	"idle_in_transaction_session_timeout": "10s",
}

func openPostgres(ctx context.Context, databaseURL string) (*DB, error) {
	conf, size, err := parsePostgres(databaseURL)
	if err != nil {
		return nil, err
	}
	created, err := migratePostgres(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("migrate the database: %w", err)
	}
	s := poolsOver(connect(conf, size/2), connect(conf, size-size/2), postgres)
	if created {
		s.created = "postgres://" + conf.Host + "/" + conf.Database
	}
	if err := s.isDurable(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.foldNames(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// CheckURL says what is wrong with the URL of a PostgreSQL database, without a
// word of it: it may hold a password. Nothing is connected to.
func CheckURL(databaseURL string) error {
	_, _, err := parsePostgres(databaseURL)
	return err
}

// parsePostgres reads a URL as libpq does, and pool_max_conns.
func parsePostgres(databaseURL string) (conf *pgx.ConnConfig, size int, err error) {
	conf, err = pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, 0, errors.New("the database's URL cannot be read; it looks like postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full") // the cause would show parts of it
	}
	if mayBePlain(conf) {
		return nil, 0, errors.New("the database's URL leaves open whether the connection is encrypted: add sslmode=verify-full, or disable where something else encrypts it")
	}
	if size, err = poolSize(conf.RuntimeParams); err != nil {
		return nil, 0, err
	}
	if err := askDurable(conf.RuntimeParams); err != nil {
		return nil, 0, err
	}
	if conf.ConnectTimeout == 0 {
		conf.ConnectTimeout = connectTimeout
	}
	return conf, size, nil
}

// mayBePlain: sslmode=prefer, which is the default, and allow let whoever is
// in between choose. On this machine nobody is.
func mayBePlain(conf *pgx.ConnConfig) bool {
	ways := append([]*pgconn.FallbackConfig{{Host: conf.Host, Port: conf.Port, TLSConfig: conf.TLSConfig}}, conf.Fallbacks...)
	var plain, encrypted bool
	for _, way := range ways {
		plain = plain || way.TLSConfig == nil && !local(way.Host)
		encrypted = encrypted || way.TLSConfig != nil
	}
	return plain && encrypted
}

// local is a Unix socket or a loopback address.
func local(host string) bool {
	if network, _ := pgconn.NetworkAddress(host, 0); network == "unix" || host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func poolSize(params map[string]string) (int, error) {
	const name = "pool_max_conns"
	value, ok := params[name]
	if !ok {
		return connections, nil
	}
	delete(params, name)
	n, err := strconv.Atoi(value)
	if err != nil || n < leastPool || n > mostPool {
		return 0, fmt.Errorf("%s in the database's URL must be a number from %d to %d", name, leastPool, mostPool)
	}
	return n, nil
}

func connect(conf *pgx.ConnConfig, size int) *sql.DB {
	bounded := conf.Copy()
	maps.Copy(bounded.RuntimeParams, bounds)
	maps.Copy(bounded.RuntimeParams, conf.RuntimeParams)
	db := stdlib.OpenDB(*bounded)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxIdleTime(time.Minute)
	db.SetConnMaxLifetime(30 * time.Minute)
	return db
}

// migratePostgres has a connection of its own, because a migration may take
// long. Of processes that start at once, one migrates and the others wait.
func migratePostgres(ctx context.Context, conf *pgx.ConnConfig) (created bool, err error) {
	db := stdlib.OpenDB(*conf)
	defer func() { err = errors.Join(err, db.Close()) }()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300), lock.WithUnlockTimeout(1, 5))
	if err != nil {
		return false, err
	}
	p, err := migrator(postgres, db, goose.WithSessionLocker(locker))
	if err != nil {
		return false, err
	}
	return upgrade(ctx, p)
}

// askDurable: a commit that is answered for must be on disk, whatever is set for
// the database, its role or its server, now or later.
func askDurable(params map[string]string) error {
	const name = "synchronous_commit"
	if _, ok := params[name]; !ok {
		params[name] = "on"
	}
	if !durable(params[name]) {
		return errors.New(name + " in the database's URL must be on or remote_apply: what is confirmed must not be lost")
	}
	return nil
}

func durable(mode string) bool { return mode == "on" || mode == "remote_apply" }

// isDurable looks whether what was asked for arrived: something in between may drop it.
func (s *DB) isDurable(ctx context.Context) error {
	var mode string
	if err := s.write.QueryRowContext(ctx, "SHOW synchronous_commit").Scan(&mode); err != nil {
		return err
	}
	if !durable(mode) {
		return errors.New("the database loses what it has confirmed (synchronous_commit is " + mode +
			"), and does not let it be asked for: ALTER DATABASE … SET synchronous_commit = on")
	}
	return nil
}

// The conditions in which a transaction has no fault but another beside it.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// characterNotInRepertoire: text that is not UTF-8, or has a NUL in it.
const characterNotInRepertoire = "22021"

func unreadable(err error) bool {
	failed, ok := errors.AsType[*pgconn.PgError](err)
	return ok && failed.Code == characterNotInRepertoire
}

// uniqueViolation: a row is there that must be the only one.
const uniqueViolation = "23505"

// addressShared: of two who verify one address at once, the second. SQLite has
// no second: writes wait for each other.
func addressShared(err error) bool {
	failed, ok := errors.AsType[*pgconn.PgError](err)
	return ok && failed.Code == uniqueViolation && failed.ConstraintName == "users_verified_address"
}

func collided(err error) bool {
	var failed *pgconn.PgError
	return errors.As(err, &failed) && (failed.Code == serializationFailure || failed.Code == deadlockDetected)
}
