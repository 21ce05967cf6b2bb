package externaldb

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// rowSet collects a result within its limits.
type rowSet struct {
	maxRows, maxSize int

	columns   []string
	rows      [][]jsontext.Value
	size      int // bytes of the cells kept
	seen      int // rows the database produced
	affected  int64
	truncated string // why rows are missing, or ""
}

// add keeps the row if it fits and reports whether more rows can be kept.
func (r *rowSet) add(row []jsontext.Value) (more bool) {
	r.seen++
	if r.truncated != "" {
		return false
	}
	if len(r.rows) == r.maxRows {
		r.truncated = fmt.Sprintf("only the first %d rows are here: that is the limit", r.maxRows)
		return false
	}
	size := 0
	for _, cell := range row {
		size += len(cell) + 1
	}
	if r.size+size > r.maxSize {
		r.truncated = fmt.Sprintf("only the first %d rows are here: the next would exceed the limit of %d bytes", len(r.rows), r.maxSize)
		return false
	}
	r.size += size
	r.rows = append(r.rows, row)
	return true
}

// resultSchema describes report.
const resultSchema = `{"type":"object","properties":{` +
	`"columns":{"type":"array","items":{"type":"string"}},` +
	`"rows":{"type":"array","items":{"type":"array"},"description":"cells in the order of columns; integers beyond 2^53 are strings, times are RFC 3339, binary is {base64, size}"},` +
	`"row_count":{"type":"integer","description":"rows in this result"},` +
	`"affected_rows":{"type":"integer"},` +
	`"truncated":{"type":"boolean"},` +
	`"truncation":{"type":"string","description":"why rows are missing"}},` +
	`"required":["columns","rows","row_count","truncated"],"additionalProperties":false}`

// report is a result as the caller sees it.
type report struct {
	Columns    []string           `json:"columns"`
	Rows       [][]jsontext.Value `json:"rows"`
	RowCount   int                `json:"row_count"`
	Affected   *int64             `json:"affected_rows,omitzero"`
	Truncated  bool               `json:"truncated"`
	Truncation string             `json:"truncation,omitempty"`
}

func (r *rowSet) report(writes bool) ([]byte, error) {
	out := report{Columns: r.columns, Rows: r.rows, RowCount: len(r.rows), Truncated: r.truncated != "", Truncation: r.truncated}
	if writes {
		out.Affected = &r.affected
	}
	return json.Marshal(out)
}

const exactInteger = 1 << 53

func null() jsontext.Value { return jsontext.Value("null") }

func text(s string) jsontext.Value {
	quoted, _ := jsontext.AppendQuote(nil, s) // invalid UTF-8 becomes U+FFFD
	return quoted
}

// whole is a JSON number when every reader keeps it exact, else a string.
func whole(n int64) jsontext.Value {
	if n > exactInteger || n < -exactInteger {
		return text(strconv.FormatInt(n, 10))
	}
	return jsontext.Value(strconv.FormatInt(n, 10))
}

// float is a JSON number, or a string for what JSON has no number for.
func float(f float64) jsontext.Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return text(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return jsontext.Value(jsontext.Float(f).String())
}

func boolean(b bool) jsontext.Value { return jsontext.Value(strconv.FormatBool(b)) }

func instant(t time.Time) jsontext.Value { return text(t.Format(time.RFC3339Nano)) }

func binary(b []byte) jsontext.Value {
	return jsontext.Value(fmt.Sprintf(`{"base64":%q,"size":%d}`, base64.StdEncoding.EncodeToString(b), len(b)))
}

// param is one JSON scalar: its kind and its text, unquoted if it is a string.
type param struct {
	kind jsontext.Kind
	text string
}

func newParam(raw jsontext.Value) (param, error) {
	switch kind := raw.Kind(); kind {
	case 'n', 't', 'f', '0':
		return param{kind, string(raw)}, nil
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return param{kind, s}, err
	}
	return param{}, errParam
}

func textParam(s string) param { return param{'"', s} }

func nullParam() param { return param{'n', "null"} }
