package mcp

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// renumbered is what EventIDs makes of text when every id is put in brackets.
func renumbered(t *testing.T, source io.Reader) string {
	t.Helper()
	got, err := io.ReadAll(EventIDs(io.NopCloser(source), func(id []byte) []byte {
		if string(id) == "none" {
			return nil
		}
		return append(append([]byte{'['}, id...), ']')
	}))
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestEventIDs(t *testing.T) {
	for name, row := range map[string]struct{ in, want string }{
		"an event":         {"id: 5\ndata: x\n\n", "id: [5]\ndata: x\n\n"},
		"no space":         {"id:5\n\n", "id: [5]\n\n"},
		"two spaces":       {"id:  5\n\n", "id: [ 5]\n\n"},
		"colons":           {"id: a:b\n\n", "id: [a:b]\n\n"},
		"after data":       {"data: x\nid: 5\n\n", "data: x\nid: [5]\n\n"},
		"twice":            {"id: 5\nid: 6\n\n", "id: [5]\nid: [6]\n\n"},
		"CR":               {"id: 5\rdata: x\r\r", "id: [5]\rdata: x\r\r"},
		"CRLF":             {"id: 5\r\ndata: x\r\n\r\n", "id: [5]\r\ndata: x\r\n\r\n"},
		"byte order mark":  {bom + "id: 5\n\n", "id: [5]\n\n"},
		"a later mark":     {"data: x\n" + bom + "id: 5\n\n", "data: x\n" + bom + "id: 5\n\n"},
		"empty":            {"id:\n\nid: \n\nid\n\n", "id:\n\nid: \n\nid\n\n"},
		"other fields":     {"idx: 5\ni: 5\nID: 5\n id: 5\nretry: 5\n\n", "idx: 5\ni: 5\nID: 5\n id: 5\nretry: 5\n\n"},
		"data that is one": {"data: id: 5\n: id: 5\n\n", "data: id: 5\n: id: 5\n\n"},
		"left out":         {"event: x\nid: none\ndata: x\n\n", "event: x\n:\ndata: x\n\n"},
		"NUL":              {"id: a\x00b\ndata: x\n\n", ":\ndata: x\n\n"},
		"long":             {"id: " + strings.Repeat("5", idLineLimit) + "\ndata: x\n\n", ":\ndata: x\n\n"},
		"unended":          {"data: x\n\nid: 5", "data: x\n\nid: [5]"},
		"unended text":     {"data: x\n\ni", "data: x\n\ni"},
		"nothing":          {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := renumbered(t, strings.NewReader(row.in)); got != row.want {
				t.Errorf("got %q\nwant %q", got, row.want)
			}
			if got := renumbered(t, iotest.OneByteReader(strings.NewReader(row.in))); got != row.want {
				t.Errorf("byte by byte %q\nwant %q", got, row.want)
			}
		})
	}
}

// TestEventIDsHoldNothingBack: what has come in goes on, but for a line that
// may still turn out to be an id.
func TestEventIDsHoldNothingBack(t *testing.T) {
	source, feed := io.Pipe()
	defer feed.Close()
	stream := EventIDs(source, bytes.ToUpper)
	got := make([]byte, 64)
	for _, step := range []struct{ in, want string }{
		{"data: {\"begin", "data: {\"begin"},
		{"ning\":1}", "ning\":1}"},
		{"\ni", "\n"},
		{"d: a\n", "id: A\n"},
		{"\n", "\n"},
		{": alive\n", ": alive\n"},
	} {
		go feed.Write([]byte(step.in))
		n, err := stream.Read(got)
		if err != nil || string(got[:n]) != step.want {
			t.Fatalf("after %q: %q, %v; want %q", step.in, got[:n], err, step.want)
		}
	}
}

func TestEventIDsPassErrorsOn(t *testing.T) {
	stream := EventIDs(io.NopCloser(io.MultiReader(strings.NewReader("data: x\n"), iotest.ErrReader(io.ErrUnexpectedEOF))), bytes.ToUpper)
	if got, err := io.ReadAll(stream); string(got) != "data: x\n" || err != io.ErrUnexpectedEOF {
		t.Errorf("%q, %v", got, err)
	}
}
