package mcp

import "maps"

// Error is a refusal on the wire: HTTP status, JSON-RPC code, and a reason for audit and metrics.
type Error struct {
	Status int    // 400, 404, 413, 415; 502 for an upstream's answer
	Code   int    // JSON-RPC error code: -32700, -32600, -32602, -32020 …
	Reason string // closed set, e.g. "body_duplicate_key"
	Public string // a sentence that tells an honest caller how to do it right
	ID     []byte // id of the refused message when it was readable, else nil
}

func (e *Error) Error() string { return "mcp: " + e.Reason }

// JSON-RPC 2.0 §5.1 and MCP 2026-07-28 (HeaderMismatch).
const (
	codeParse    = -32700
	codeRequest  = -32600
	codeMethod   = -32601
	codeParams   = -32602
	codeInternal = -32603
	codeHeader   = -32020
)

var errorTable = map[string]Error{
	"limits_unset": {Status: 500, Code: codeInternal},

	"content_type":     {Status: 415, Code: codeRequest, Public: "Send one Content-Type: application/json."},
	"content_encoding": {Status: 415, Code: codeRequest, Public: "Send the body without Content-Encoding."},

	"body_too_large":     {Status: 413, Code: codeRequest, Public: "The message is too large."},
	"body_empty":         {Status: 400, Code: codeParse, Public: "The body is empty: send one JSON-RPC message."},
	"body_bom":           {Status: 400, Code: codeParse, Public: "Send JSON without a byte order mark."},
	"body_not_utf8":      {Status: 400, Code: codeParse, Public: "The body is not UTF-8."},
	"body_syntax":        {Status: 400, Code: codeParse, Public: "The body is not valid JSON."},
	"body_trailing":      {Status: 400, Code: codeParse, Public: "Something follows the JSON-RPC message: send one per request."},
	"body_batch":         {Status: 400, Code: codeRequest, Public: "Batches are not supported: send one message per request."},
	"body_not_object":    {Status: 400, Code: codeRequest, Public: "Send one JSON-RPC message, a JSON object."},
	"body_duplicate_key": {Status: 400, Code: codeRequest, Public: "A JSON object has the same key twice."},
	"body_key_case":      {Status: 400, Code: codeRequest, Public: "A key differs from a protocol key only in upper and lower case."},
	"body_key_nul":       {Status: 400, Code: codeRequest, Public: "A key holds a NUL character."},
	"body_depth":         {Status: 400, Code: codeRequest, Public: "The message is nested too deeply."},
	"body_keys":          {Status: 400, Code: codeRequest, Public: "The message has too many object members."},
	"body_number":        {Status: 400, Code: codeRequest, Public: "A number in the message is too long."},

	"message_version": {Status: 400, Code: codeRequest, Public: `Send "jsonrpc": "2.0".`},
	"message_id":      {Status: 400, Code: codeRequest, Public: "The id must be a string or a whole number within ±9007199254740991."},
	"message_method":  {Status: 400, Code: codeRequest, Public: "The method must be a string that names an MCP method exactly."},
	"message_shape":   {Status: 400, Code: codeRequest, Public: "Send a request, a notification or a response, not a mixture."},
	"message_kind":    {Status: 400, Code: codeRequest, Public: "Clients send no responses in this protocol version."},

	"method_removed": {Status: 404, Code: codeMethod, Public: "Method not found: protocol version 2026-07-28 has subscriptions/listen in its place."},

	"params_type":      {Status: 400, Code: codeParams, Public: "params must be an object."},
	"params_meta":      {Status: 400, Code: codeParams, Public: "params._meta must be an object, and its protocol version a string."},
	"params_version":   {Status: 400, Code: codeParams, Public: "Say the protocol version of MCP-Protocol-Version in params._meta too."},
	"params_name":      {Status: 400, Code: codeParams, Public: "params must name what the method is for, as a string that is not empty."},
	"params_ref":       {Status: 400, Code: codeParams, Public: `params.ref must be an object of type "ref/prompt" or "ref/resource".`},
	"params_arguments": {Status: 400, Code: codeParams, Public: "params.arguments must be an object."},

	"header_repeated": {Status: 400, Code: codeHeader, Public: "Send MCP-Protocol-Version, Mcp-Method and Mcp-Name once each."},
	"header_invalid":  {Status: 400, Code: codeHeader, Public: "A mirrored header holds invalid characters or invalid Base64."},
	"header_missing":  {Status: 400, Code: codeHeader, Public: "Send MCP-Protocol-Version, Mcp-Method and, where it applies, Mcp-Name."},
	"header_mismatch": {Status: 400, Code: codeHeader, Public: "MCP-Protocol-Version, Mcp-Method and Mcp-Name must say what the body says."},

	"response_too_large": {Status: 502, Code: codeInternal, Public: "The MCP server's answer is too large."},
	"response_malformed": {Status: 502, Code: codeInternal, Public: "The MCP server's answer cannot be read."},
	"response_not_list":  {Status: 502, Code: codeInternal, Public: "The MCP server's answer is not the list it was asked for."},
}

// Reasons is every refusal there is, by reason.
func Reasons() map[string]Error { return maps.Clone(errorTable) }

// wrong makes the Error of a reason, which must be in the table.
func wrong(reason string) *Error {
	e, ok := errorTable[reason]
	if !ok {
		panic("mcp: no such reason: " + reason)
	}
	e.Reason = reason
	return &e
}

func wrongFor(id []byte, reason string) *Error {
	e := wrong(reason)
	e.ID = id
	return e
}
