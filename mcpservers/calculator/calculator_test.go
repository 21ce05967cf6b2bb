package calculator

import (
	"context"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/postern-mcp/postern/mcpservers/servertest"
)

func build(*testing.T) *server.MCPServer { return New() }

func TestTools(t *testing.T) {
	nines := strings.Repeat("9", 400)
	servertest.Each(t, build, func(t *testing.T, c *client.Client) {
		for _, call := range []struct{ tool, arguments, text, structured string }{
			{"add", `{"a":2,"b":3}`, "5", `{"result":"5","exact":true}`},
			{"add", `{"a":9007199254740993,"b":0}`, "9007199254740993", `{"result":"9007199254740993","exact":true}`},
			{"add", `{"a":"0.1","b":0.2}`, "0.3", `{"result":"0.3","exact":true}`},
			{"add", `{"a":` + nines + `,"b":1}`, "1" + strings.Repeat("0", 400), ""},
			{"add", `{"a":1e400,"b":-1}`, nines, ""},
			{"subtract", `{"a":1,"b":1.25}`, "-0.25", `{"result":"-0.25","exact":true}`},
			{"multiply", `{"a":"1/3","b":3}`, "1", `{"result":"1","exact":true}`},
			{"divide", `{"a":1,"b":8}`, "0.125", `{"result":"0.125","exact":true}`},
			{"divide", `{"a":-1,"b":3}`, "-1/3 ≈ -0." + strings.Repeat("3", 50) + " (rounded to 50 significant digits)",
				`{"result":"-1/3","exact":true,"decimal":"-0.` + strings.Repeat("3", 50) + `"}`},
			{"power", `{"base":2,"exponent":100}`, "1267650600228229401496703205376", ""},
			{"power", `{"base":10,"exponent":-3}`, "0.001", ""},
			{"evaluate", `{"expression":"(1 + 2) * 3^4"}`, "243", `{"result":"243","exact":true}`},
			{"evaluate", `{"expression":"sqrt(2)"}`, "1.4142135623730950488016887242096980785696718753769 (rounded to 50 significant digits)",
				`{"result":"1.4142135623730950488016887242096980785696718753769","exact":false}`},
		} {
			result := servertest.Call(t, c, call.tool, call.arguments)
			if text := servertest.Text(t, result); result.IsError || text != call.text {
				t.Errorf("%s %.60s: %.200s (error %v), want %s", call.tool, call.arguments, text, result.IsError, call.text)
			}
			if call.structured != "" && string(result.RawStructuredContent) != call.structured {
				t.Errorf("%s %s: %s, want %s", call.tool, call.arguments, result.RawStructuredContent, call.structured)
			}
		}
	})
}

func TestToolErrors(t *testing.T) {
	servertest.Each(t, build, func(t *testing.T, c *client.Client) {
		for _, call := range []struct{ tool, arguments, says string }{
			{"divide", `{"a":1,"b":0}`, "division by zero"},
			{"divide", `{"a":1,"b":"0/5"}`, "division by zero"},
			{"power", `{"base":9,"exponent":"1e300"}`, "overflow"},
			{"power", `{"base":9,"exponent":1e300}`, "overflow"},
			{"power", `{"base":2,"exponent":0.5}`, "exponent must be an integer"},
			{"power", `{"base":0,"exponent":-1}`, "division by zero"},
			{"add", `{"a":1}`, "b is missing"},
			{"add", `{}`, "a is missing"},
			{"add", `{"a":1,"b":2,"c":3}`, `no argument "c"`},
			{"add", `{"A":1,"b":2}`, "a is missing"},
			{"add", `{"a":true,"b":2}`, "a: not a number"},
			{"add", `{"a":[1],"b":2}`, "a: not a number"},
			{"add", `{"a":null,"b":2}`, "a: not a number"},
			{"add", `{"a":"two","b":2}`, "a: not a number"},
			{"add", `{"a":1,"b":1e99999}`, "b: overflow"},
			{"evaluate", `{"expression":"1/0"}`, "division by zero"},
			{"evaluate", `{"expression":"2 +"}`, "syntax error"},
			{"evaluate", `{"expression":5}`, "do not fit"},
			{"evaluate", `{"expression":"1","x":1}`, "do not fit"},
		} {
			result := servertest.Call(t, c, call.tool, call.arguments)
			if text := servertest.Text(t, result); !result.IsError || !strings.Contains(text, call.says) {
				t.Errorf("%s %s: %q (error %v), want an error with %q", call.tool, call.arguments, text, result.IsError, call.says)
			}
		}
	})
}

func TestToolList(t *testing.T) {
	servertest.Each(t, build, func(t *testing.T, c *client.Client) {
		list, err := c.ListTools(context.Background(), mcp.ListToolsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, tool := range list.Tools {
			names = append(names, tool.Name)
			checkDefinition(t, tool)
		}
		if got := strings.Join(names, " "); got != "add divide evaluate multiply power subtract" {
			t.Errorf("tools: %s", got)
		}
	})
}

func checkDefinition(t *testing.T, tool mcp.Tool) {
	t.Helper()
	hints := tool.Annotations
	if !*hints.ReadOnlyHint || !*hints.IdempotentHint || *hints.DestructiveHint || *hints.OpenWorldHint {
		t.Errorf("%s: wrong hints", tool.Name)
	}
	if tool.Title == "" || tool.Description == "" {
		t.Errorf("%s: no title or description", tool.Name)
	}
	if tool.InputSchema.AdditionalProperties != false {
		t.Errorf("%s: the input schema takes any property", tool.Name)
	}
}
