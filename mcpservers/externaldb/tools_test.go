package externaldb

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/postern-mcp/postern/authserver/store/postgrestest"
	"github.com/postern-mcp/postern/mcpservers/servertest"
)

func TestToolsOnSQLite(t *testing.T) {
	build := func(t *testing.T) *server.MCPServer { return serve(t, within("sqlite:"+sampleFile(t))) }
	servertest.Each(t, build, func(t *testing.T, c *client.Client) {
		checkCalls(t, c, []call{
			{"list_tables", `{}`, `{"columns":["table","kind"],"rows":[["customers","table"],["order_items","table"],["order_totals","view"],["orders","table"],["products","table"]],"row_count":5,"truncated":false}`, ""},
			{"describe_table", `{"table":"order_items"}`, `{"columns":["table","column","type","nullable","default","primary_key","references"],"rows":[` +
				`["order_items","order_id","INTEGER","no",null,"yes","orders.id"],["order_items","product_id","INTEGER","no",null,"yes","products.id"],` +
				`["order_items","quantity","INTEGER","no",null,"no",null],["order_items","price_cents","INTEGER","no",null,"no",null]],"row_count":4,"truncated":false}`, ""},
			{"query", `{"sql":"SELECT id, name FROM products WHERE price_cents < ? ORDER BY id LIMIT 1","params":[300]}`,
				`{"columns":["id","name"],"rows":[[11,"Goose quill"]],"row_count":1,"truncated":false}`, ""},
			{"query", `{"sql":"SELECT 1 WHERE 0"}`, `{"columns":["1"],"rows":[],"row_count":0,"truncated":false}`, ""},
			{"query", `{"sql":"SELECT ? + 0 AS n","params":[9007199254740993]}`, `{"columns":["n"],"rows":[["9007199254740993"]],"row_count":1,"truncated":false}`, ""},
			{"search", `{"table":"customers","text":"zürich"}`, `{"columns":["id","name","email","city","country","since"],"rows":[[2,"Niklaus Weber","niklaus2@example.com","Zürich","Switzerland","2021-11-15"]],"row_count":1,"truncated":false}`, ""},
			{"search", `{"table":"customers","text":"example","limit":1}`, "", ""},
			{"execute", `{"sql":"UPDATE products SET stock = 1 WHERE id = ?","params":[15]}`, `{"columns":[],"rows":[],"row_count":0,"affected_rows":1,"truncated":false}`, ""},
			{"query", `{"sql":"DELETE FROM orders"}`, "", "readonly"},
			{"query", `{"sql":"SELECT 1; SELECT 2"}`, "", "exactly one"},
		})
		checkRefusals(t, c)
		checkResources(t, c, "order_items")
	})
}

func TestToolsOnPostgres(t *testing.T) {
	address := postgrestest.Start(t)
	build := func(t *testing.T) *server.MCPServer { return serve(t, within(postgresSample(t, address))) }
	servertest.Each(t, build, func(t *testing.T, c *client.Client) {
		checkCalls(t, c, []call{
			{"list_tables", `{}`, `{"columns":["table","kind"],"rows":[["customers","table"],["names","view"],["odd schema.odd \"table\" name","table"],["orders","table"]],"row_count":4,"truncated":false}`, ""},
			{"describe_table", `{"table":"names"}`, `{"columns":["table","column","type","nullable","default","primary_key","references"],"rows":[["names","name","text","yes",null,"no",null]],"row_count":1,"truncated":false}`, ""},
			{"query", `{"sql":"SELECT id, name FROM customers WHERE id = $1","params":[1]}`, `{"columns":["id","name"],"rows":[[1,"Ada Byron"]],"row_count":1,"truncated":false}`, ""},
			{"search", `{"table":"orders","text":"2025-01-02","limit":9}`, "", ""},
			{"execute", `{"sql":"UPDATE customers SET name = $1 WHERE id = 1 RETURNING name","params":["Ada"]}`, `{"columns":["name"],"rows":[["Ada"]],"row_count":1,"affected_rows":1,"truncated":false}`, ""},
			{"query", `{"sql":"DELETE FROM orders"}`, "", "read-only transaction"},
			{"query", `{"sql":"SELECT 1; SELECT 2"}`, "", "multiple commands"},
		})
		checkRefusals(t, c)
		checkResources(t, c, "orders")
	})
}

// call is a tool call with the structured result it has, or what its error says.
type call struct{ tool, arguments, want, says string }

func checkCalls(t *testing.T, c *client.Client, calls []call) {
	t.Helper()
	for _, k := range calls {
		result := servertest.Call(t, c, k.tool, k.arguments)
		text := servertest.Text(t, result)
		if result.IsError != (k.says != "") || !strings.Contains(text, k.says) {
			t.Errorf("%s %s: error %v, %s", k.tool, k.arguments, result.IsError, text)
			continue
		}
		if k.want != "" && (string(result.RawStructuredContent) != k.want || text != k.want) {
			t.Errorf("%s %s:\n got %s\ntext %s\nwant %s", k.tool, k.arguments, result.RawStructuredContent, text, k.want)
		}
	}
}

func checkRefusals(t *testing.T, c *client.Client) {
	t.Helper()
	checkCalls(t, c, []call{
		{"list_tables", `{"x":1}`, "", "do not fit"},
		{"describe_table", `{}`, "", "no such table"},
		{"describe_table", `{"table":"nothing"}`, "", "no such table"},
		{"query", `{}`, "", "missing"},
		{"query", `{"sql":""}`, "", "missing"},
		{"query", `{"sql":"SELEC"}`, "", "syntax error"},
		{"query", `{"sql":"SELECT 1 \u0000"}`, "", "NUL"},
		{"query", `{"sql":"SELECT 1","params":[[1]]}`, "", "a parameter must be"},
		{"query", `{"sql":"SELECT 1","params":{"a":1}}`, "", "do not fit"},
		{"query", `{"sql":"SELECT 1","Params":[]}`, "", "do not fit"},
		{"search", `{"table":"nothing","text":"x"}`, "", "no such table"},
		{"search", `{"table":"orders"}`, "", "missing"},
		{"search", `{"table":"orders","text":"x","limit":0}`, "", "limit must be"},
		{"search", `{"table":"orders","text":"x","limit":1.5}`, "", "do not fit"},
	})
}

func checkResources(t *testing.T, c *client.Client, table string) {
	t.Helper()
	for _, r := range []struct{ uri, holds, says string }{
		{"db://schema", `"` + table + `"`, ""},
		{"db://schema/" + table, `"` + table + `"`, ""},
		{"db://schema/nothing", "", "not found"},
		{"db://schema/" + url.PathEscape(`x" --`), "", "not found"},
	} {
		request := mcp.ReadResourceRequest{}
		request.Params.URI = r.uri
		result, err := c.ReadResource(context.Background(), request)
		if r.says != "" {
			if err == nil || !strings.Contains(err.Error(), r.says) {
				t.Errorf("%s: %v, want %q", r.uri, err, r.says)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", r.uri, err)
			continue
		}
		text, ok := result.Contents[0].(mcp.TextResourceContents)
		if !ok || text.MIMEType != mediaType || !strings.Contains(text.Text, r.holds) {
			t.Errorf("%s: %+v", r.uri, result.Contents[0])
		}
	}
}

func TestToolHints(t *testing.T) {
	c := servertest.HTTP(t, serve(t, within("sqlite:"+sampleFile(t))), mcp.ProtocolVersion20260728)
	list, err := c.ListTools(context.Background(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
		writes := tool.Name == "execute"
		if *tool.Annotations.ReadOnlyHint == writes || *tool.Annotations.DestructiveHint != writes || *tool.Annotations.OpenWorldHint {
			t.Errorf("%s has the wrong hints", tool.Name)
		}
		if tool.InputSchema.AdditionalProperties != false || tool.Title == "" {
			t.Errorf("%s: loose schema or no title", tool.Name)
		}
	}
	if got := strings.Join(names, " "); got != "describe_table execute list_tables query search" {
		t.Errorf("tools: %s", got)
	}
}

func TestNewRefuses(t *testing.T) {
	second := time.Second
	for _, c := range []struct {
		name   string
		config Config
		reason error // nil: any
	}{
		{"no limits", Config{URL: "sqlite:x"}, ErrLimit},
		{"no timeout", Config{URL: "sqlite:x", MaxRows: 1, MaxSize: 1}, ErrLimit},
		{"no rows", Config{URL: "sqlite:x", Timeout: second, MaxSize: 1}, ErrLimit},
		{"negative size", Config{URL: "sqlite:x", Timeout: second, MaxRows: 1, MaxSize: -1}, ErrLimit},
		{"no URL", Config{Timeout: second, MaxRows: 1, MaxSize: 1}, ErrURL},
		{"no path", Config{URL: "sqlite:", Timeout: second, MaxRows: 1, MaxSize: 1}, ErrURL},
		{"another database", Config{URL: "mysql://x", Timeout: second, MaxRows: 1, MaxSize: 1}, ErrURL},
		{"a broken URL", Config{URL: "postgres://u:s3cret@h:port/", Timeout: second, MaxRows: 1, MaxSize: 1}, ErrURL},
		{"no file", Config{URL: "sqlite:" + t.TempDir() + "/nothing.db", Timeout: second, MaxRows: 1, MaxSize: 1}, nil},
		{"no server", Config{URL: "postgres://u:s3cret@/db?host=/nonexistent", Timeout: second, MaxRows: 1, MaxSize: 1}, nil},
	} {
		s, done, err := New(context.Background(), c.config)
		if err == nil || c.reason != nil && !errors.Is(err, c.reason) || s != nil || done != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.reason)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error tells the password: %v", c.name, err)
		}
	}
}
