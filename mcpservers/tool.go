package mcpservers

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Identity is how a bundled server presents itself.
type Identity struct {
	Name, Title, Instructions string
}

// New makes a server that turns a panic in a tool or resource into an error.
func New(id Identity, options ...server.ServerOption) *server.MCPServer {
	options = append([]server.ServerOption{
		server.WithTitle(id.Title),
		server.WithInstructions(id.Instructions),
		server.WithToolCapabilities(false),
		server.WithResourceRecovery(),
		server.WithToolHandlerMiddleware(recovered),
	}, options...)
	return server.NewMCPServer(id.Name, version(), options...)
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func recovered(next server.ToolHandlerFunc) server.ToolHandlerFunc {
	return func(ctx context.Context, r mcp.CallToolRequest) (result *mcp.CallToolResult, err error) {
		defer func() {
			if cause := recover(); cause != nil {
				slog.ErrorContext(ctx, "tool panicked", "tool", r.Params.Name, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
				result, err = mcp.NewToolResultError("the tool failed inside; this is a defect of the server, not of the arguments"), nil
			}
		}()
		return next(ctx, r)
	}
}

// Tool describes one tool. Input and Output are JSON Schemas.
type Tool struct {
	Name, Title, Description string
	Input, Output            string
	Writes                   bool // may change something outside
	Repeatable               bool // the same call again changes nothing more
}

// Definition is the tool as MCP lists it. No bundled tool reaches beyond its
// own server, so openWorldHint is false.
func (t Tool) Definition() mcp.Tool {
	return mcp.Tool{
		Name: t.Name, Title: t.Title, Description: t.Description,
		RawInputSchema:  []byte(t.Input),
		RawOutputSchema: []byte(t.Output),
		Annotations: mcp.ToolAnnotation{
			Title:           t.Title,
			ReadOnlyHint:    mcp.ToBoolPtr(!t.Writes),
			DestructiveHint: mcp.ToBoolPtr(t.Writes),
			IdempotentHint:  mcp.ToBoolPtr(t.Repeatable),
			OpenWorldHint:   mcp.ToBoolPtr(false),
		},
	}
}

// Arguments decodes the call's arguments as they were sent into the struct
// that into points to. Unknown members are errors.
func Arguments(r mcp.CallToolRequest, into any) error {
	raw := jsontext.Value(r.Params.RawArguments)
	if len(raw) == 0 {
		raw = jsontext.Value("{}")
	}
	if raw.Kind() != '{' {
		return fmt.Errorf("the arguments must be a JSON object")
	}
	if err := json.Unmarshal(raw, into, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("the arguments do not fit the tool's input schema: %w", err)
	}
	return nil
}
