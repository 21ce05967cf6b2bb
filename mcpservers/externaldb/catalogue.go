package externaldb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
)

// dialect is what differs between databases in the SQL of this package. The
// names in a result are quoted by the database itself where SQL is built.
type dialect struct {
	name        string
	tables      string // table, kind
	columns     string // of the table in the parameter, or of all if it is NULL
	identifiers string // table and column, quoted, of the table in the parameter
	like        string // case-insensitive match of an operand against the first parameter
}

func (*sqliteFile) dialect() dialect {
	const visible = `m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!'`
	return dialect{
		name:   "SQLite",
		tables: `SELECT m.name AS "table", m.type AS kind FROM sqlite_schema m WHERE ` + visible + ` ORDER BY m.name`,
		columns: `SELECT m.name AS "table", p.name AS "column", p.type AS type,
				iif(p."notnull" OR p.pk, 'no', 'yes') AS nullable, p.dflt_value AS "default", iif(p.pk, 'yes', 'no') AS primary_key,
				(SELECT f."table" || coalesce('.' || f."to", '') FROM pragma_foreign_key_list(m.name) f WHERE f."from" = p.name) AS "references"
			FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) p
			WHERE ` + visible + ` AND (?1 IS NULL OR m.name = ?1) ORDER BY m.name, p.cid`,
		identifiers: `SELECT '"' || replace(m.name, '"', '""') || '"', '"' || replace(p.name, '"', '""') || '"'
			FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) p WHERE ` + visible + ` AND m.name = ?1 ORDER BY p.cid`,
		like: `LIKE ?1 ESCAPE '!'`,
	}
}

func (*postgres) dialect() dialect {
	const (
		from = ` FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`
		name = `CASE n.nspname WHEN 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END`
		// What the role may read, without the system's own.
		visible = ` c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
			AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')`
		attributes = ` JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`
	)
	return dialect{
		name: "PostgreSQL",
		tables: `SELECT ` + name + ` AS "table",
				CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind` +
			from + ` WHERE` + visible + ` ORDER BY 1`,
		columns: `SELECT ` + name + ` AS "table", a.attname AS "column", pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
				CASE WHEN a.attnotnull THEN 'no' ELSE 'yes' END AS nullable, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS "default",
				CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attnum = ANY (k.conkey))
					THEN 'yes' ELSE 'no' END AS primary_key,
				(SELECT k.confrelid::pg_catalog.regclass || '.' || t.attname FROM pg_catalog.pg_constraint k
					JOIN pg_catalog.pg_attribute t ON t.attrelid = k.confrelid AND t.attnum = k.confkey[array_position(k.conkey, a.attnum)]
					WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey) ORDER BY k.conname LIMIT 1) AS "references"` +
			from + attributes + ` LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
			WHERE` + visible + ` AND ($1::text IS NULL OR ` + name + ` = $1) ORDER BY 1, a.attnum`,
		identifiers: `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.quote_ident(a.attname)` +
			from + attributes + ` WHERE` + visible + ` AND ` + name + ` = $1 ORDER BY a.attnum`,
		like: `ILIKE $1 ESCAPE '!'`,
	}
}

func (d *desk) tables(ctx context.Context) (*rowSet, error) {
	return d.run(ctx, statement{sql: d.dialect.tables}, d.limits.MaxRows)
}

// columns describes one table, or all tables when name is nil.
func (d *desk) columns(ctx context.Context, name *string) (*rowSet, error) {
	which := nullParam()
	if name != nil {
		which = textParam(*name)
	}
	out, err := d.run(ctx, statement{sql: d.dialect.columns, params: []param{which}}, d.limits.MaxRows)
	if err != nil {
		return nil, err
	}
	if name != nil && out.seen == 0 {
		return nil, fmt.Errorf("%w: %q", errUnknownTable, *name)
	}
	return out, nil
}

var likeEscapes = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// search finds the rows any of whose columns contains the text.
func (d *desk) search(ctx context.Context, table, sought string, limit int) (*rowSet, error) {
	names, err := d.run(ctx, statement{sql: d.dialect.identifiers, params: []param{textParam(table)}}, d.limits.MaxRows)
	if err != nil {
		return nil, err
	}
	if len(names.rows) == 0 {
		return nil, fmt.Errorf("%w: %q", errUnknownTable, table)
	}
	var from string
	conditions := make([]string, len(names.rows))
	for i, row := range names.rows {
		var column string
		if err := errors.Join(json.Unmarshal(row[0], &from), json.Unmarshal(row[1], &column)); err != nil {
			return nil, err
		}
		conditions[i] = fmt.Sprintf("CAST(%s AS text) %s", column, d.dialect.like)
	}
	built := fmt.Sprintf("SELECT * FROM %s WHERE %s LIMIT %d", from, strings.Join(conditions, " OR "), limit+1)
	return d.run(ctx, statement{sql: built, params: []param{textParam("%" + likeEscapes.Replace(sought) + "%")}}, limit)
}
