package externaldb

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

func postgresRow(values [][]byte, fields []pgconn.FieldDescription) []jsontext.Value {
	row := make([]jsontext.Value, len(values))
	for i, value := range values {
		row[i] = postgresCell(value, fields[i].DataTypeOID)
	}
	return row
}

// postgresCell turns a value in text format into JSON. What it does not know
// stays the text PostgreSQL wrote.
func postgresCell(value []byte, oid uint32) jsontext.Value {
	if value == nil {
		return null()
	}
	written := string(value)
	switch oid {
	case pgtype.BoolOID:
		return boolean(written == "t")
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID:
		if n, err := strconv.ParseInt(written, 10, 64); err == nil {
			return whole(n)
		}
	case pgtype.Float4OID, pgtype.Float8OID:
		return postgresFloat(written)
	case pgtype.ByteaOID:
		return postgresBinary(value)
	case pgtype.TimestamptzOID:
		return postgresTime(written, "2006-01-02 15:04:05.999999Z07", "2006-01-02 15:04:05.999999Z07:00")
	case pgtype.TimestampOID:
		return postgresTime(written, "2006-01-02 15:04:05.999999")
	case pgtype.JSONOID, pgtype.JSONBOID:
		if raw := jsontext.Value(bytes.Clone(value)); raw.IsValid() {
			return raw
		}
	}
	return text(written)
}

// postgresFloat keeps the shortest digits, which PostgreSQL already wrote.
func postgresFloat(written string) jsontext.Value {
	if raw := jsontext.Value(written); raw.IsValid() && raw.Kind() == '0' {
		return raw
	}
	return text(written)
}

func postgresBinary(value []byte) jsontext.Value {
	digits, ok := bytes.CutPrefix(value, []byte(`\x`))
	if !ok {
		return text(string(value))
	}
	content, err := hex.DecodeString(string(digits))
	if err != nil {
		return text(string(value))
	}
	return binary(content)
}

// postgresTime leaves "infinity" and years before Christ as they are written.
func postgresTime(written string, layouts ...string) jsontext.Value {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, written); err == nil {
			return instant(t)
		}
	}
	return text(written)
}
