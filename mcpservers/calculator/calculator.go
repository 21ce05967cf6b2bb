// Package calculator is the bundled calculator MCP server. It computes with
// rationals, so sums and products of decimals are exact; numbers, expressions
// and the work of one call are bounded, so every call ends within a moment.
package calculator

import (
	"context"
	"fmt"
	"math/big"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/postern-mcp/postern/mcpservers"
)

var zero = new(big.Rat)

// New builds the server with its tools.
func New() *server.MCPServer {
	s := mcpservers.New(mcpservers.Identity{
		Name:  "postern-calculator",
		Title: "Calculator",
		Instructions: fmt.Sprintf("Exact arithmetic on integers, decimals and fractions of up to %d digits. "+
			"Write numbers that must not lose digits on the way as strings.", MaxDigits),
	})
	for _, t := range binaryTools {
		s.AddTool(t.definition().Definition(), t.handle)
	}
	s.AddTool(evaluateTool.Definition(), handleEvaluate)
	return s
}

// binaryTool computes one operation of two operands.
type binaryTool struct {
	name, title, description string
	first, second            string // the arguments' names
	apply                    func(c *calculation, a, b number) (number, error)
}

var binaryTools = []binaryTool{
	{"add", "Add", "a + b, exactly.", "a", "b", (*calculation).add},
	{"subtract", "Subtract", "a - b, exactly.", "a", "b", (*calculation).subtract},
	{"multiply", "Multiply", "a × b, exactly.", "a", "b", (*calculation).multiply},
	{"divide", "Divide", "a ÷ b, exactly: a quotient without a finite decimal is a fraction. b must not be 0.", "a", "b", (*calculation).divide},
	{"power", "Raise to a power", "base to the power of an integer exponent, exactly. The exponent may be negative.", "base", "exponent", (*calculation).power},
}

const operandSchema = `{"anyOf":[{"type":"number"},{"type":"string","pattern":"^[+-]?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?(/[0-9]+)?$"}],"description":"an integer, a decimal or a fraction; as a string no digit is lost on the way"}`

const resultSchema = `{"type":"object","properties":{` +
	`"result":{"type":"string","description":"an integer, a finite decimal or a fraction; rounded if exact is false"},` +
	`"exact":{"type":"boolean"},` +
	`"decimal":{"type":"string","description":"of a fraction: rounded to 50 significant digits"}},` +
	`"required":["result","exact"],"additionalProperties":false}`

var evaluateTool = mcpservers.Tool{
	Name: "evaluate", Title: "Evaluate an expression",
	Description: "Computes an expression exactly: + - * / % (remainder, with the sign of the dividend) ^ or ** (power, binds tighter than a sign), " +
		"parentheses, abs(x), min(x, …), max(x, …), floor(x), ceil(x), round(x) or round(x, digits) (halves away from zero), sqrt(x).",
	Input:      fmt.Sprintf(`{"type":"object","properties":{"expression":{"type":"string","minLength":1,"maxLength":%d,"description":"for example (1 + 2) * 3^4"}},"required":["expression"],"additionalProperties":false}`, MaxExpression),
	Output:     resultSchema,
	Repeatable: true,
}

func (t binaryTool) definition() mcpservers.Tool {
	return mcpservers.Tool{
		Name: t.name, Title: t.title, Description: t.description,
		Input: fmt.Sprintf(`{"type":"object","properties":{%q:%s,%q:%s},"required":[%q,%q],"additionalProperties":false}`,
			t.first, operandSchema, t.second, operandSchema, t.first, t.second),
		Output:     resultSchema,
		Repeatable: true,
	}
}

func (t binaryTool) handle(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var arguments map[string]jsontext.Value
	if err := mcpservers.Arguments(r, &arguments); err != nil {
		return refused(err), nil
	}
	a, err := operand(arguments, t.first)
	if err != nil {
		return refused(err), nil
	}
	b, err := operand(arguments, t.second)
	if err != nil {
		return refused(err), nil
	}
	for name := range arguments {
		return refused(fmt.Errorf("%w: there is no argument %s; give %s and %s", errArguments, quoted(name), t.first, t.second)), nil
	}
	return answered(t.apply(newCalculation(), a, b)), nil
}

// operand takes the named argument out of the map.
func operand(arguments map[string]jsontext.Value, name string) (number, error) {
	raw, ok := arguments[name]
	if !ok {
		return number{}, fmt.Errorf("%w: %s is missing", errArguments, name)
	}
	delete(arguments, name)
	text := string(raw)
	if raw.Kind() == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return number{}, err // unreachable: the arguments were decoded
		}
	}
	n, err := parseNumber(text)
	if err != nil {
		return number{}, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

func handleEvaluate(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var arguments struct {
		Expression string `json:"expression"`
	}
	if err := mcpservers.Arguments(r, &arguments); err != nil {
		return refused(err), nil
	}
	return answered(evaluate(arguments.Expression)), nil
}

func refused(err error) *mcp.CallToolResult { return mcp.NewToolResultError(err.Error()) }

// answer is the structured result of every tool.
type answer struct {
	Result  string `json:"result"`
	Exact   bool   `json:"exact"`
	Decimal string `json:"decimal,omitempty"`
}

func answered(n number, err error) *mcp.CallToolResult {
	if err != nil {
		return refused(err)
	}
	a := answer{Result: n.String(), Exact: n.exact}
	text := a.Result
	if !n.exact {
		text = fmt.Sprintf("%s (rounded to %d significant digits)", text, RoundedDigits)
	} else if strings.Contains(a.Result, "/") {
		a.Decimal = n.decimal()
		text = fmt.Sprintf("%s ≈ %s (rounded to %d significant digits)", text, a.Decimal, RoundedDigits)
	}
	return mcp.NewToolResultStructured(a, text)
}
