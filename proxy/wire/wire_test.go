package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// server is a real net/http server behind the guard that records what it was asked.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string
	bodies   []error
	reasons  []string
}

const maxHeader = 2000

func start(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewUnstartedServer(s)
	s.Listener = Guard{MaxHeader: maxHeader, Refused: s.refused}.Listener(s.Listener)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *server) refused(_ net.Addr, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reasons = append(s.reasons, reason)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, fmt.Sprintf("%s %s %s %q", r.Method, r.RequestURI, r.Host, body))
	s.bodies = append(s.bodies, err)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = fmt.Fprintf(w, "%s %d", r.URL.Path, len(body))
}

// exchange sends raw bytes on one connection and returns the statuses of all
// answers until the server closes or everything expected has come.
func (s *server) exchange(t *testing.T, raw string, chunk int) []int {
	t.Helper()
	c, err := net.Dial("tcp", s.Server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		for part := range slices.Chunk([]byte(raw), chunk) {
			if _, err := c.Write(part); err != nil {
				return
			}
		}
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	var statuses []int
	reader := bufio.NewReader(c)
	for {
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		statuses = append(statuses, answer.StatusCode)
	}
}

const good = "GET /good HTTP/1.1\r\nHost: h\r\n\r\n"

func TestRefused(t *testing.T) {
	post := func(headers, body string) string {
		return "POST /x HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n" + body
	}
	table := map[string]struct{ raw, reason string }{
		// P8
		"TE and CL":             {post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "length_and_encoding"},
		"CL and TE, hertz 1490": {post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "0\r\n\r\n"), "length_and_encoding"},
		"two CL":                {post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), "content_length"},
		"two equal CL":          {post("Content-Length: 3\r\ncontent-length: 3\r\n", "abc"), "content_length"},
		"CL list":               {post("Content-Length: 3, 3\r\n", "abc"), "content_length"},
		"CL plus":               {post("Content-Length: +3\r\n", "abc"), "content_length"},
		"CL minus":              {post("Content-Length: -3\r\n", "abc"), "content_length"},
		"CL hex":                {post("Content-Length: 0x3\r\n", "abc"), "content_length"},
		"CL zero first":         {post("Content-Length: 03\r\n", "abc"), "content_length"},
		"CL empty":              {post("Content-Length:\r\n", ""), "content_length"},
		"CL space inside":       {post("Content-Length: 3 3\r\n", "abc"), "content_length"},
		"CL huge":               {post("Content-Length: 18446744073709551619\r\n", "abc"), "content_length"},
		"CL underscore":         {post("Content_Length: 3\r\n", "abc"), "field_name"},
		"TE underscore":         {post("Transfer_Encoding: chunked\r\n", "0\r\n\r\n"), "field_name"},
		"TE twice":              {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "transfer_encoding"},
		"TE identity":           {post("Transfer-Encoding: identity\r\n", ""), "transfer_encoding"},
		"TE list":               {post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "transfer_encoding"},
		"TE quoted":             {post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), "transfer_encoding"},
		"TE vertical tab":       {post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), "field_value"},
		"TE space before colon": {post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), "field_name"},
		"TE in 1.0":             {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "transfer_encoding"},
		"trailer announced":     {post("Transfer-Encoding: chunked\r\nTrailer: X\r\n", "0\r\nX: y\r\n\r\n"), "trailer"},
		"folded":                {"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", "folded_line"},
		"folded first":          {"GET / HTTP/1.1\r\n Host: h\r\n\r\n", "folded_line"},
		"folded TE":             {post("Transfer-Encoding:\r\n\tchunked\r\n", "0\r\n\r\n"), "transfer_encoding"},

		"CVE-2019-16276":     {"GET / HTTP/1.1\r\nHost : h\r\n\r\n", "field_name"},
		"tab before colon":   {"GET / HTTP/1.1\r\nHost\t: h\r\n\r\n", "field_name"},
		"no colon":           {"GET / HTTP/1.1\r\nHost\r\n\r\n", "field_name"},
		"empty name":         {"GET / HTTP/1.1\r\n: h\r\n\r\n", "field_name"},
		"umlaut name":        {"GET / HTTP/1.1\r\nH\xf6st: h\r\n\r\n", "field_name"},
		"NUL in value":       {"GET / HTTP/1.1\r\nHost: h\x00\r\n\r\n", "field_value"},
		"bare CR in value":   {"GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", "field_value"},
		"two hosts":          {"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", "host"},
		"bare LF":            {"GET / HTTP/1.1\nHost: h\n\n", "bare_lf"},
		"one bare LF":        {"GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", "bare_lf"},
		"bare LF at the end": {"GET / HTTP/1.1\r\nHost: h\r\n\n", "bare_lf"},
		"two spaces":         {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "request_line"},
		"tabs":               {"GET\t/\tHTTP/1.1\r\nHost: h\r\n\r\n", "request_line"},
		"three words more":   {"GET / x HTTP/1.1\r\nHost: h\r\n\r\n", "version"},
		"no version":         {"GET /\r\n\r\n", "request_line"},
		"version 2":          {"GET / HTTP/2.0\r\n\r\n", "version"},
		"version 1.10":       {"GET / HTTP/1.10\r\nHost: h\r\n\r\n", "version"},
		"version case":       {"GET / http/1.1\r\nHost: h\r\n\r\n", "version"},
		"HTTP/2 preface":     {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "version"},
		"umlaut target":      {"GET /\xf6 HTTP/1.1\r\nHost: h\r\n\r\n", "request_line"},
		"control target":     {"GET /\x7f HTTP/1.1\r\nHost: h\r\n\r\n", "request_line"},
		"bracket method":     {"GE[T / HTTP/1.1\r\nHost: h\r\n\r\n", "request_line"},
		"empty line first":   {"\r\n" + good, "request_line"},
		"space first":        {" " + good, "request_line"},
		"TLS":                {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "request_line"},
		"large header":       {"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("a", maxHeader) + "\r\n\r\n", "header_too_large"},
		"endless header":     {"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("a", 3*maxHeader), "header_too_large"},
		"large target":       {"GET /" + strings.Repeat("a", maxHeader) + " HTTP/1.1\r\nHost: h\r\n\r\n", "header_too_large"},
	}
	for name, row := range table {
		for _, chunk := range []int{1 << 20, 7} {
			t.Run(fmt.Sprintf("%s in pieces of %d", name, chunk), func(t *testing.T) {
				s := start(t)
				statuses := s.exchange(t, row.raw+good, chunk)
				s.Close()
				if !slices.Equal(statuses, []int{400}) || len(s.requests) != 0 {
					t.Errorf("answers %v, requests %v", statuses, s.requests)
				}
				if !slices.Equal(s.reasons, []string{row.reason}) {
					t.Errorf("reasons %v, want %s", s.reasons, row.reason)
				}
			})
		}
	}
}

func TestRefusedChunks(t *testing.T) {
	table := map[string]struct{ body, reason string }{
		"CVE-2023-39326":          {"3;" + strings.Repeat("a", 5000) + "\r\nabc\r\n0\r\n\r\n", "chunk_extension"},
		"empty extension":         {"3;\r\nabc\r\n0\r\n\r\n", "chunk_extension"},
		"last chunk's extension":  {"3\r\nabc\r\n0;x\r\n\r\n", "chunk_extension"},
		"CVE-2025-22871":          {"3;a\nabc\r\n0\r\n\r\n", "chunk_extension"},
		"bare LF after size":      {"3\nabc\r\n0\r\n\r\n", "chunk_size"},
		"bare LF after data":      {"3\r\nabc\n0\r\n\r\n", "chunk_end"},
		"bare LF after last":      {"3\r\nabc\r\n0\n\r\n", "chunk_size"},
		"bare LF at the end":      {"3\r\nabc\r\n0\r\n\n", "trailer"},
		"CR and then not LF":      {"3\rxabc\r\n0\r\n\r\n", "chunk_line"},
		"last CR and then not LF": {"0\r\n\rx", "chunk_end"},
		"trailer":                 {"3\r\nabc\r\n0\r\nX: y\r\n\r\n", "trailer"},
		"no size":                 {"\r\nabc\r\n0\r\n\r\n", "chunk_size"},
		"0x":                      {"0x3\r\nabc\r\n0\r\n\r\n", "chunk_size"},
		"plus":                    {"+3\r\nabc\r\n0\r\n\r\n", "chunk_size"},
		"minus":                   {"-3\r\nabc\r\n0\r\n\r\n", "chunk_size"},
		"space before":            {" 3\r\nabc\r\n0\r\n\r\n", "chunk_size"},
		"space after":             {"3 \r\nabc\r\n0\r\n\r\n", "chunk_size"},
		"underscore":              {"1_0\r\nabc\r\n0\r\n\r\n", "chunk_size"},
		"overflow":                {"10000000000000003\r\nabc\r\n0\r\n\r\n", "chunk_size"},
		"many zeros":              {"000000003\r\nabc\r\n0\r\n\r\n", "chunk_size"},
		"longer than said":        {"3\r\nabcd\r\n0\r\n\r\n", "chunk_end"},
		"shorter than said":       {"5\r\nabc\r\n0\r\n\r\n", "chunk_end"},
	}
	for name, row := range table {
		for _, chunk := range []int{1 << 20, 1} {
			t.Run(fmt.Sprintf("%s in pieces of %d", name, chunk), func(t *testing.T) {
				s := start(t)
				raw := "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + row.body + good
				statuses := s.exchange(t, raw, chunk)
				s.Close()
				if !slices.Equal(statuses, []int{400}) {
					t.Errorf("answers %v", statuses)
				}
				// after the last chunk net/http has an error of its own
				last := row.reason == "trailer" || row.reason == "chunk_end" && strings.HasPrefix(row.body, "0")
				if len(s.bodies) != 1 || s.bodies[0] == nil || errors.Is(s.bodies[0], ErrFraming) == last {
					t.Errorf("requests %v, bodies %v", s.requests, s.bodies)
				}
				if !slices.Equal(s.reasons, []string{row.reason}) {
					t.Errorf("reasons %v, want %s", s.reasons, row.reason)
				}
			})
		}
	}
}

func TestPassesUnchanged(t *testing.T) {
	chunked := "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0010\r\n0123456789abcdef\r\n0\r\n\r\n"
	length := "POST /l HTTP/1.1\r\nHost: h\r\nContent-Length:\t 5 \r\n\r\nGET /"
	large := "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x\r\n\r\nGET / HTTP/1.1\n\n", 6000)[:100000]
	table := map[string]struct {
		raw      string
		requests []string
	}{
		"get":         {good, []string{`GET /good h ""`}},
		"head":        {"HEAD /?a=%20&b=[] HTTP/1.1\r\nhost:h\r\nX-Umlaut: \xf6\r\nEmpty:\r\n\r\n", []string{`HEAD /?a=%20&b=[] h ""`}},
		"delete":      {"DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", []string{`DELETE / h ""`}},
		"invented":    {"MCP!x / HTTP/1.1\r\nHost: h\r\n\r\n", []string{`MCP!x / h ""`}},
		"old":         {"GET /old HTTP/1.0\r\nConnection: close\r\n\r\n", []string{`GET /old  ""`}},
		"length":      {length, []string{`POST /l h "GET /"`}},
		"chunked":     {chunked, []string{`POST /c h "abc0123456789abcdef"`}},
		"empty":       {"POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []string{`POST /e h ""`}},
		"pipelined":   {good + length + chunked + good + chunked + length + good, []string{`GET /good h ""`, `POST /l h "GET /"`, `POST /c h "abc0123456789abcdef"`, `GET /good h ""`, `POST /c h "abc0123456789abcdef"`, `POST /l h "GET /"`, `GET /good h ""`}},
		"header full": {"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("a", maxHeader-32) + "\r\n\r\n", []string{`GET / h ""`}},
	}
	for name, row := range table {
		for _, chunk := range []int{1 << 20, 11, 1} {
			t.Run(fmt.Sprintf("%s in pieces of %d", name, chunk), func(t *testing.T) {
				s := start(t)
				statuses := s.exchange(t, row.raw, chunk)
				s.Close()
				if !slices.Equal(s.requests, row.requests) || len(statuses) != len(row.requests) || len(s.reasons) > 0 {
					t.Errorf("answers %v\ngot  %v\nwant %v\nreasons %v", statuses, s.requests, row.requests, s.reasons)
				}
			})
		}
	}
	t.Run("large", func(t *testing.T) {
		s := start(t)
		if statuses := s.exchange(t, large+good, 1<<20); !slices.Equal(statuses, []int{200, 200}) {
			t.Errorf("answers %v", statuses)
		}
		s.Close()
		if len(s.requests) != 2 || len(s.requests[0]) < 100_000 {
			t.Errorf("%d requests", len(s.requests))
		}
	})
}

// TestRefusalWaitsItsTurn: the answers due before come first and whole.
func TestRefusalWaitsItsTurn(t *testing.T) {
	s := start(t)
	statuses := s.exchange(t, good+good+"GET / HTTP/1.1\r\nHost : h\r\n\r\n"+good, 1<<20)
	s.Close()
	if !slices.Equal(statuses, []int{200, 200, 400}) || len(s.requests) != 2 {
		t.Errorf("answers %v, requests %v", statuses, s.requests)
	}
}

func TestSmuggledRequestIsBody(t *testing.T) {
	s := start(t)
	hidden := "GET /admin HTTP/1.1\r\nHost: h\r\n\r\n"
	raw := fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(hidden), hidden)
	statuses := s.exchange(t, raw+good, 1<<20)
	s.Close()
	if !slices.Equal(statuses, []int{200, 200}) || strings.Contains(s.requests[1], "admin") {
		t.Errorf("answers %v, requests %v", statuses, s.requests)
	}
}

func guarded(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Listener = Listener(s.Listener, maxHeader)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func TestContinue(t *testing.T) {
	s := guarded(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	reader := bufio.NewReader(c)
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
	if line, err := reader.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = reader.ReadString('\n')
	_, _ = io.WriteString(c, "abc")
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(answer.Body); string(body) != "abc" {
		t.Errorf("body %q", body)
	}
}

// TestLongStream: while the server writes, the guard only waits; when the
// client leaves, the handler hears of it.
func TestLongStream(t *testing.T) {
	gone := make(chan struct{})
	s := guarded(t, func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
		close(gone)
	})
	ctx, leave := context.WithCancel(t.Context())
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got := make([]byte, 27)
	if _, err := io.ReadFull(answer.Body, got); err != nil || string(got) != "data: 0\n\ndata: 1\n\ndata: 2\n\n" {
		t.Fatalf("%q, %v", got, err)
	}
	leave()
	<-gone
}

func TestHijackedConnectionCanBeWritten(t *testing.T) {
	s := guarded(t, func(w http.ResponseWriter, _ *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = buffered.WriteString("HTTP/1.1 204 No Content\r\n\r\n")
		_ = buffered.Flush()
		_ = c.Close()
	})
	answer, err := http.Get(s.URL)
	if err != nil || answer.StatusCode != http.StatusNoContent {
		t.Fatalf("%v, %v", answer, err)
	}
	_ = answer.Body.Close()
}
