package proxy

import (
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/postern-mcp/postern/proxy/mcp"
)

// stateless is the first protocol version without sessions (MCP 2026-07-28).
const stateless = "2026-07-28"

// call is a proven caller with a message that has one meaning.
type call struct {
	caller  caller
	message mcp.Message // zero for GET and DELETE
	session string      // the upstream's id, "" without one
	after   string      // the upstream's id of the event to resume after, or ""
	modern  bool        // 2026-07-28 and later: no session goes along
}

// decode reads the body once, bounded and strictly. Under no protocol version
// does it ask less.
func (p *Proxy) decode(w http.ResponseWriter, r *http.Request, s seated, event *event) (call, error) {
	event.Stage = stageDecode
	c := s.caller
	next := call{caller: c}
	var err error
	switch r.Method {
	case http.MethodPost:
		next.message, err = p.read(w, r, c.visit)
	case http.MethodGet, http.MethodDelete:
		err = bodiless(r)
	default:
		why := refused(stageDecode, reasonMethod, nil)
		why.allowed, err = "POST, GET, DELETE", why
	}
	event.describe(next.message)
	if err == nil {
		next.modern = next.message.Protocol >= stateless
		next.session, err = openSession(r, c, next.modern)
	}
	if err == nil {
		next.after, err = lastEvent(r, c)
	}
	if err != nil {
		return call{}, next.placed(asRefusal(err, stageDecode))
	}
	return next, nil
}

func (p *Proxy) read(w http.ResponseWriter, r *http.Request, v visit) (mcp.Message, error) {
	if err := mcp.CheckContent(r.Header); err != nil {
		return mcp.Message{}, bodyRefusal(err)
	}
	if len(r.Trailer) > 0 {
		return mcp.Message{}, refused(stageDecode, reasonTrailer, nil)
	}
	body, err := p.receive(w, r, v)
	if err != nil {
		return mcp.Message{}, err
	}
	m, err := mcp.Parse(body, p.limits)
	if err == nil {
		err = mcp.CheckMirrors(r.Header, m)
	}
	if err != nil {
		return m, bodyRefusal(err)
	}
	return m, nil
}

// receive takes the whole body within its bounds of size and memory. That of
// time was set when the request came in.
func (p *Proxy) receive(w http.ResponseWriter, r *http.Request, v visit) ([]byte, error) {
	if r.ContentLength > int64(p.limits.Bytes) {
		hangUp(w, r)
		return nil, refused(stageDecode, reasonBodyLarge, nil)
	}
	limit := int64(p.limits.Bytes)
	body, err := v.share.readAll(http.MaxBytesReader(w, r.Body, limit), r.ContentLength, limit)
	if err != nil { // the rest is not waited for
		hangUp(w, r)
	} else {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // only a test recorder has none
	}
	var why *refusal
	var large *http.MaxBytesError
	switch {
	case err == nil && len(r.Trailer) > 0:
		return nil, refused(stageDecode, reasonTrailer, nil)
	case errors.As(err, &why):
		return nil, why
	case errors.As(err, &large):
		return nil, refused(stageDecode, reasonBodyLarge, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refused(stageDecode, reasonBodySlow, err)
	case err != nil:
		return nil, refused(stageDecode, reasonBodyBroken, err)
	}
	return body, nil
}

// hangUp ends an HTTP/1 connection whose body is not read to its end. Of an
// HTTP/2 connection only the stream ends, which needs no word.
func hangUp(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}

func bodiless(r *http.Request) error {
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
		return refused(stageDecode, reasonTrailer, nil)
	}
	if len(r.Header["Mcp-Protocol-Version"]) > 1 {
		return bodyRefusal(&mcp.Error{Status: 400, Code: -32020, Reason: "header_repeated", Public: "Send MCP-Protocol-Version once."})
	}
	return nil
}

func bodyRefusal(err error) error {
	why := refused(stageDecode, reasonBody, err)
	errors.As(err, &why.wire)
	if why.wire == nil {
		why.reason = reasonInternal
	}
	return why
}

// openSession finds the upstream's session of this caller. Somebody else's is
// as unknown as one that never was.
func openSession(r *http.Request, c caller, modern bool) (string, error) {
	sent := r.Header["Mcp-Session-Id"]
	if len(sent) == 0 || modern { // 2026-07-28 has no sessions: the header is ignored
		return "", nil
	}
	if len(sent) > 1 {
		return "", refused(stageDecode, reasonSession, nil)
	}
	id, ok := c.visit.server.sessions.unwrap(sent[0], c)
	if !ok {
		return "", refused(stageDecode, reasonSession, nil)
	}
	return id, nil
}
