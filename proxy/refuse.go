package proxy

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/postern-mcp/postern/authserver/token"
)

const retryAfter = 2 * time.Second // where nobody knows better

// problem is a JSON-RPC error response.
type problem struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   problemError    `json:"error"`
}

type problemError struct {
	Code    int         `json:"code"`
	Message string      `json:"message"`
	Data    problemData `json:"data"`
}

// problemData mirrors the challenge for clients that never see headers.
type problemData struct {
	Reason    string `json:"reason,omitempty"`
	Scope     string `json:"scope,omitempty"`
	RequestID string `json:"request_id"`
}

// refuse is the one place that writes a refusal.
func (p *Proxy) refuse(w *answer, r *http.Request, event *event, err error) {
	why := asRefusal(err, event.Stage)
	event.refuse(why.stage, reason(why.label()))
	event.Required = why.required
	row := why.outcome()
	p.log.Log(r.Context(), why.level(row), "refused", "request_id", event.RequestID, "server", event.Server,
		"stage", why.stage, "reason", why.label(), "cause", why.cause)
	if w.status != 0 { // the answer has begun; it can only be broken off
		panic(http.ErrAbortHandler)
	}
	header := w.Header()
	if s := why.visit.server; s != nil && row.challenged() {
		header["Www-Authenticate"] = s.resource.challenges(row, why)
	}
	if row.oauth == useNonce {
		header.Set("DPoP-Nonce", p.proofs.Nonce(r.Context(), p.now()))
	}
	if row.retry {
		header.Set("Retry-After", seconds(cmp.Or(why.wait, retryAfter)))
	}
	if why.allowed != "" {
		header.Set("Allow", why.allowed)
	}
	writeProblem(w, row, why, event)
}

// seconds are whole ones, never too few.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

func writeProblem(w http.ResponseWriter, row outcome, why *refusal, event *event) {
	body := problem{JSONRPC: "2.0", ID: json.RawMessage("null")}
	if id := why.id(); id != nil {
		body.ID = json.RawMessage(id)
	}
	body.Error = problemError{Code: row.code, Message: row.public, Data: problemData{RequestID: event.RequestID}}
	if row.code == 0 {
		body.Error.Code = row.status
	}
	if why.reason != reasonUnknownName && row.public != "" {
		body.Error.Data.Reason = why.label()
	}
	if row.public == "" {
		body.Error.Message = http.StatusText(row.status)
	}
	body.Error.Data.Scope = joinScope(why.scope)
	text, err := json.Marshal(body)
	if err != nil {
		text = []byte(`{"jsonrpc":"2.0","id":null,"error":{"code":500,"message":"Internal Server Error"}}`) // unreachable
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(row.status)
	_, _ = w.Write(text) // the caller may be gone
}

// level: what the operator must mend stands out; an audience or issuer that
// does not fit usually is a setting of theirs, an inactive token at times.
func (r *refusal) level(row outcome) slog.Level {
	switch {
	case r.reason == reasonCallerLeft:
		return slog.LevelDebug
	case row.status >= 500:
		return slog.LevelWarn
	case r.reason == reason(token.WrongTarget), r.reason == reason(token.WrongIssuer), r.reason == reason(token.Inactive):
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// id is the JSON-RPC id to answer, or nil.
func (r *refusal) id() []byte {
	if r.wire != nil {
		return r.wire.ID
	}
	return r.call.message.ID
}
