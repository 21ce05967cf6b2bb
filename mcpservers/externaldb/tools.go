package externaldb

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/postern-mcp/postern/mcpservers"
)

const (
	tableSchema  = `"table":{"type":"string","minLength":1,"description":"a name as list_tables gives it"}`
	sqlSchema    = `"sql":{"type":"string","minLength":1,"description":"one statement; ? or ?1 (SQLite), $1 (PostgreSQL) stand for params"}`
	paramsSchema = `"params":{"type":"array","items":{"type":["string","number","boolean","null"]},"description":"values for the placeholders, in order"}`

	searchLimit = 20
)

var (
	errLimit   = errors.New("limit must be at least 1")
	errMissing = errors.New("a required argument is missing or empty; see the tool's input schema")
)

func object(properties, required string) string {
	return `{"type":"object","properties":{` + properties + `},"required":[` + required + `],"additionalProperties":false}`
}

func (d *desk) addTools(s *server.MCPServer) {
	for _, t := range []struct {
		mcpservers.Tool
		handle server.ToolHandlerFunc
	}{
		{mcpservers.Tool{Name: "list_tables", Title: "List tables", Description: "The tables and views of the database.",
			Input: object("", ""), Repeatable: true}, d.handleListTables},
		{mcpservers.Tool{Name: "describe_table", Title: "Describe a table", Description: "The columns of a table or view: type, nullable, default, primary key, what it references.",
			Input: object(tableSchema, `"table"`), Repeatable: true}, d.handleDescribeTable},
		{mcpservers.Tool{Name: "query", Title: "Query", Description: "Runs one reading SQL statement. The database refuses every change.",
			Input: object(sqlSchema+","+paramsSchema, `"sql"`), Repeatable: true}, d.handleQuery},
		{mcpservers.Tool{Name: "search", Title: "Search a table", Description: "The rows of a table that contain a text in any column, whatever its case.",
			Input: object(tableSchema+`,"text":{"type":"string","minLength":1},"limit":{"type":"integer","minimum":1,"description":"most rows to return; 20 if absent"}`, `"table","text"`), Repeatable: true}, d.handleSearch},
		{mcpservers.Tool{Name: "execute", Title: "Execute", Description: "Runs one SQL statement that may change data, in a transaction of its own.",
			Input: object(sqlSchema+","+paramsSchema, `"sql"`), Writes: true}, d.handleExecute},
	} {
		t.Output = resultSchema
		s.AddTool(t.Definition(), t.handle)
	}
}

func (d *desk) handleListTables(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	if err := mcpservers.Arguments(r, &struct{}{}); err != nil {
		return mcp.NewToolResultError(err.Error()), nil
	}
	out, err := d.tables(ctx)
	return answer(ctx, out, err, false), nil
}

func (d *desk) handleDescribeTable(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var in struct {
		Table string `json:"table"`
	}
	if err := mcpservers.Arguments(r, &in); err != nil {
		return mcp.NewToolResultError(err.Error()), nil
	}
	out, err := d.columns(ctx, &in.Table)
	return answer(ctx, out, err, false), nil
}

func (d *desk) handleSearch(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	in := struct {
		Table string `json:"table"`
		Text  string `json:"text"`
		Limit int    `json:"limit"`
	}{Limit: searchLimit}
	if err := mcpservers.Arguments(r, &in); err != nil {
		return mcp.NewToolResultError(err.Error()), nil
	}
	if in.Text == "" {
		return mcp.NewToolResultError(errMissing.Error()), nil
	}
	if in.Limit < 1 {
		return mcp.NewToolResultError(errLimit.Error()), nil
	}
	out, err := d.search(ctx, in.Table, in.Text, min(in.Limit, d.limits.MaxRows))
	return answer(ctx, out, err, false), nil
}

func (d *desk) handleQuery(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return d.handleSQL(ctx, r, false), nil
}

func (d *desk) handleExecute(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return d.handleSQL(ctx, r, true), nil
}

func (d *desk) handleSQL(ctx context.Context, r mcp.CallToolRequest, writes bool) *mcp.CallToolResult {
	var in struct {
		SQL    string           `json:"sql"`
		Params []jsontext.Value `json:"params"`
	}
	if err := mcpservers.Arguments(r, &in); err != nil {
		return mcp.NewToolResultError(err.Error())
	}
	if in.SQL == "" {
		return mcp.NewToolResultError(errMissing.Error())
	}
	st := statement{sql: in.SQL, params: make([]param, len(in.Params)), writes: writes}
	for i, raw := range in.Params {
		p, err := newParam(raw)
		if err != nil {
			return mcp.NewToolResultError(err.Error())
		}
		st.params[i] = p
	}
	out, err := d.run(ctx, st, d.limits.MaxRows)
	return answer(ctx, out, err, writes)
}

// answer is the result as structured content and, for clients that know only
// text, the same JSON as text.
func answer(ctx context.Context, out *rowSet, err error, writes bool) *mcp.CallToolResult {
	if err != nil {
		return mcp.NewToolResultError(publicMessage(ctx, err))
	}
	report, err := out.report(writes)
	if err != nil {
		return mcp.NewToolResultError(publicMessage(ctx, err))
	}
	return mcp.NewToolResultStructured(jsonText(report), string(report))
}
