package mcpservers

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

var errTrailing = errors.New("mcpservers: text after the message")

const argumentsPointer = "/params/arguments/"

// parseError is the answer to a message that is not JSON (JSON-RPC 2.0 §5.1).
var parseError = []byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message is not valid JSON"}}` + "\n")

// readable returns the message if it is one strict JSON value. A number among
// the tool arguments that no float64 can hold is quoted, because the MCP
// library would refuse the whole message; tools read quoted numbers exactly.
func readable(message []byte) ([]byte, error) {
	in := jsontext.NewDecoder(bytes.NewReader(message))
	var out bytes.Buffer
	copied := 0
	for {
		token, err := in.ReadToken()
		if err != nil {
			return nil, err
		}
		if token.Kind() == '0' && !representable(token) && strings.HasPrefix(string(in.StackPointer()), argumentsPointer) {
			end := int(in.InputOffset())
			start := end - len(token.String())
			out.Write(message[copied:start])
			out.WriteString(strconv.Quote(token.String()))
			copied = end
		}
		if in.StackDepth() == 0 {
			break
		}
	}
	if len(bytes.TrimSpace(message[in.InputOffset():])) != 0 {
		return nil, errTrailing
	}
	if copied == 0 {
		return message, nil
	}
	out.Write(message[copied:])
	return out.Bytes(), nil
}

func representable(number jsontext.Token) bool {
	_, err := strconv.ParseFloat(number.String(), 64)
	return err == nil
}
