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

// FuzzEventIDs: however a stream is cut, every id line is rewritten, and no
// other byte changes.
func FuzzEventIDs(f *testing.F) {
	f.Add("id: 5\ndata: x\n\n", uint8(1))
	f.Add(bom+"id:5\r\nid\r\rid: \n\nidx: 1\ndata: id: 5", uint8(2))
	f.Add("\xef\xbb\ni\nid:none\nid:\x00\n", uint8(3))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		if got, want := renumbered(t, pieces{strings.NewReader(text), int(size) + 1}), lineByLine(text); got != want {
			t.Errorf("%q becomes %q\nwant %q", text, got, want)
		}
	})
}

// pieces reads at most size bytes at a time.
type pieces struct {
	io.Reader
	size int
}

func (p pieces) Read(to []byte) (int, error) { return p.Reader.Read(to[:min(p.size, len(to))]) }

// lineByLine does to a whole text what renumbered does to a stream.
func lineByLine(text string) string {
	var out strings.Builder
	for first := true; text != ""; first = false {
		line, ending := text, ""
		if end := strings.IndexAny(text, "\r\n"); end >= 0 {
			line, ending = text[:end], text[end:end+1]
		}
		text = text[len(line)+len(ending):]
		out.WriteString(renumberedLine(line, first) + ending)
	}
	return out.String()
}

func renumberedLine(line string, first bool) string {
	text := line
	if first {
		text = strings.TrimPrefix(line, bom)
	}
	id, found := strings.CutPrefix(text, "id:")
	id = strings.TrimPrefix(id, " ")
	switch {
	case !found || id == "":
		return line
	case id == "none", len(line) > idLineLimit, strings.Contains(id, "\x00"):
		return ":"
	}
	return "id: [" + id + "]"
}
