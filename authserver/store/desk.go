package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Person is somebody who can sign in, with what they have and may have.
type Person struct {
	User
	Generator bool // of codes, and confirmed
	Recovery  bool // there are recovery codes that were not used
	Passkeys  bool
	Roles     []UserRole

	SignedInAt time.Time // the last time; zero: never
}

// PeopleFilter chooses among people. Name and Email are exact, Part is of the
// name, the full name or the address, in capitals or not; "" is any.
type PeopleFilter struct {
	Part, Name, Email string
	After             string // the name before the first one wanted
	Limit             int
}

// querier reads: a pool, or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

const personQuery = `SELECT id, name, password_hash, full_name, email, email_verified, created_at, password_at, disabled_at, signed_in_at,
	EXISTS (SELECT 1 FROM code_generators g WHERE g.user_id = users.id AND g.confirmed_at > 0),
	EXISTS (SELECT 1 FROM recovery_codes c WHERE c.user_id = users.id AND c.used_at = 0),
	EXISTS (SELECT 1 FROM passkeys k WHERE k.user_id = users.id) FROM users `

// People are those of the filter, by name.
func (s *DB) People(ctx context.Context, f PeopleFilter) ([]Person, error) {
	where, args := "WHERE name > $1", []any{f.After}
	and := func(condition string, value any) {
		args = append(args, value)
		where += " AND " + strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(args)))
	}
	if f.Part != "" {
		and("("+hasPart("name")+" OR "+hasPart("full_name")+" OR "+hasPart("email")+")", containing(f.Part))
	}
	if f.Name != "" {
		and("name = ?", f.Name)
	}
	if f.Email != "" {
		and("email = ?", addressForm(f.Email))
	}
	args = append(args, f.Limit)
	all, err := readPeople(ctx, s.read, personQuery+where+" ORDER BY name LIMIT $"+strconv.Itoa(len(args)), args...)
	if err != nil {
		return nil, err
	}
	return all, addRoles(ctx, s.read, all)
}

// hasPart is a condition that a text has what the parameter ? contains.
func hasPart(text string) string { return "lower(" + text + `) LIKE lower(?) ESCAPE '\'` }

var plainly = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// containing is a pattern of LIKE.
func containing(part string) string { return "%" + plainly.Replace(part) + "%" }

// Person finds somebody by id.
func (s *DB) Person(ctx context.Context, id string) (Person, error) {
	return personByID(ctx, s.read, id)
}

func personByID(ctx context.Context, q querier, id string) (Person, error) {
	all, err := readPeople(ctx, q, personQuery+"WHERE id = $1", id)
	if err != nil {
		return Person{}, found(err)
	}
	if len(all) == 0 {
		return Person{}, ErrNotFound
	}
	return all[0], addRoles(ctx, q, all)
}

func readPeople(ctx context.Context, q querier, query string, args ...any) ([]Person, error) {
	return list(ctx, q, func(rows scanner) (Person, error) {
		var p Person
		var created, password, disabled, signedIn int64
		err := rows.Scan(&p.ID, &p.Name, &p.PasswordHash, &p.FullName, &p.Email, &p.EmailVerified, &created, &password, &disabled, &signedIn,
			&p.Generator, &p.Recovery, &p.Passkeys)
		p.CreatedAt, p.PasswordAt, p.DisabledAt, p.SignedInAt = moment(created), moment(password), moment(disabled), moment(signedIn)
		return p, err
	}, query, args...)
}

// list reads every row of a query.
func list[T any](ctx context.Context, q querier, read func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := read(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// addRoles fills in the roles of a page of people.
func addRoles(ctx context.Context, q querier, all []Person) error {
	if len(all) == 0 {
		return nil
	}
	at, marks, ids := map[string]int{}, make([]string, len(all)), make([]any, len(all))
	for i, p := range all {
		at[p.ID], marks[i], ids[i] = i, "$"+strconv.Itoa(i+1), p.ID
	}
	_, err := list(ctx, q, func(row scanner) (UserRole, error) {
		var id string
		var given int64
		var r UserRole
		if err := row.Scan(&id, &r.Role, &r.Source, &given); err != nil {
			return r, err
		}
		r.At = moment(given)
		all[at[id]].Roles = append(all[at[id]].Roles, r)
		return r, nil
	}, "SELECT user_id, role, source, at FROM user_roles WHERE user_id IN ("+strings.Join(marks, ", ")+") ORDER BY user_id, role, source", ids...)
	return err
}

// Stored is a client with its roles.
type Stored struct {
	Client
	Roles []string
}

// ClientsFilter chooses among clients.
type ClientsFilter struct {
	Part    string    // of the name, in capitals or not, or the id; "" is any
	Dynamic *bool     // nil for any
	Before  time.Time // of the creation of the last one of the page before; zero for none
	ID      string    // of that one
	Limit   int
}

const storedQuery = "SELECT id, secret_hash, dynamic, metadata, created_at FROM clients "

// searched is how many clients are read at once to find some by name.
const searched = 500

// StoredClients are those of the filter, the newest first.
func (s *DB) StoredClients(ctx context.Context, f ClientsFilter) ([]Stored, error) {
	var all []Stored
	batch := f.Limit
	if f.Part != "" {
		batch = searched
	}
	for {
		some, err := s.someClients(ctx, f, batch)
		if err != nil {
			return nil, err
		}
		for _, c := range some {
			if len(all) < f.Limit && f.finds(c) {
				all = append(all, c)
			}
		}
		if len(all) == f.Limit || len(some) < batch {
			return all, s.addClientRoles(ctx, all)
		}
		last := some[len(some)-1]
		f.Before, f.ID = last.CreatedAt, last.ID
	}
}

func (f ClientsFilter) finds(c Stored) bool {
	return f.Part == "" || f.Part == c.ID || strings.Contains(strings.ToLower(c.Name), strings.ToLower(f.Part))
}

// someClients are the first ones of the filter, whatever they are called.
func (s *DB) someClients(ctx context.Context, f ClientsFilter, limit int) ([]Stored, error) {
	where, args := "WHERE (created_at, id) < ($1, $2)", []any{beginning(f.Before), f.ID, limit}
	if f.Dynamic != nil {
		where += " AND dynamic = $4"
		args = append(args, flag(*f.Dynamic))
	}
	return list(ctx, s.read, stored, storedQuery+where+" ORDER BY created_at DESC, id DESC LIMIT $3", args...)
}

func (s *DB) addClientRoles(ctx context.Context, all []Stored) (err error) {
	for i := range all {
		if all[i].Roles, err = s.ClientRoles(ctx, all[i].ID); err != nil {
			return err
		}
	}
	return nil
}

// beginning is where a list that goes back in time begins.
func beginning(before time.Time) int64 {
	if before.IsZero() {
		return 1<<63 - 1
	}
	return millis(before)
}

// StoredClient finds a client with its roles.
func (s *DB) StoredClient(ctx context.Context, id string) (Stored, error) {
	return storedByID(ctx, s.read, id)
}

func storedByID(ctx context.Context, q querier, id string) (Stored, error) {
	c, err := stored(q.QueryRowContext(ctx, storedQuery+"WHERE id = $1", id))
	if err != nil {
		return Stored{}, found(err)
	}
	c.Roles, err = list(ctx, q, func(row scanner) (role string, err error) { return role, row.Scan(&role) },
		"SELECT role FROM client_roles WHERE client_id = $1 ORDER BY role", id)
	return c, err
}

func stored(row scanner) (Stored, error) {
	var (
		c       Stored
		doc     []byte
		created int64
	)
	if err := row.Scan(&c.ID, &c.SecretHash, &c.Dynamic, &doc, &created); err != nil {
		return Stored{}, err
	}
	if err := json.Unmarshal(doc, &c.Client); err != nil {
		return Stored{}, err
	}
	c.CreatedAt = moment(created)
	return c, nil
}
