package authserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/trail"
)

// audit is one line per decision: an event of the closed list, and who, what and
// why, never a secret.
func (s *Server) audit(r *http.Request, e event, fields ...any) {
	s.report(r.Context(), slog.LevelInfo, e, append(fields, "address", s.address(r))...)
}

// report puts an event into the log, and on record.
func (s *Server) report(ctx context.Context, level slog.Level, e event, fields ...any) {
	c := callerIn(ctx)
	if c.id != "" {
		fields = append(fields, "request_id", c.id)
	}
	s.config.Log.Log(ctx, level, string(e), fields...)
	s.record(c, e, fields)
}

// record counts an event and writes its audit line. What a request did that
// could not be written is noted at the request, whose answer is withheld.
func (s *Server) record(c *caller, e event, fields []any) {
	d := decisionOf(e, fields)
	if why := textIn(fields, "reason"); why != "" && d == decisionDeny {
		c.refused = Reason(why)
		s.metrics.refusals.WithLabelValues(why).Inc()
	}
	s.metrics.count(c, e, fields)
	if s.config.Audit == nil || d == decisionDeny && !s.crowd.room(Reason(textIn(fields, "reason"))) {
		return
	}
	_, err := s.config.Audit.Write(s.line(e, d, fields))
	if err == nil {
		return
	}
	c.unrecorded = err
	s.config.Log.Error("audit.not_written", "event", string(e), "cause", err.Error())
}

// reportAsOperator is report for whoever has the machine, and an error when it could
// not be put on record.
func (s *Server) reportAsOperator(ctx context.Context, e event, fields ...any) error {
	c := &caller{}
	by := admin.Operator()
	s.report(context.WithValue(ctx, callerKey{}, c), slog.LevelInfo, e, append(fields, "actor", by.Kind, "actor_kind", by.Kind)...)
	if c.unrecorded != nil {
		return fmt.Errorf("it was done, but its audit line cannot be written: %w", c.unrecorded)
	}
	return nil
}

func (s *Server) line(e event, d decision, fields []any) []byte {
	l := trail.NewLine()
	l.Always("time", s.config.Now().UTC().Format(time.RFC3339Nano))
	l.Always("event", string(e))
	l.Always("decision", string(d))
	l.Always("issuer", s.config.Issuer)
	for i := 0; i+1 < len(fields); i += 2 {
		addMember(l, fmt.Sprint(fields[i]), fields[i+1])
	}
	if n := s.crowd.unrecorded.Swap(0); n > 0 {
		l.Int("unrecorded", n)
	}
	return l.End()
}

// inLogOnly is what a line never has: what went wrong may say anything.
const inLogOnly = "cause"

// lists are members that the log has as words with spaces between.
var lists = []string{"scope", "left_out", "not_in_roles"}

func addMember(l *trail.Line, name string, value any) {
	switch v := value.(type) {
	case string:
		addText(l, name, v)
	case []string:
		l.List(name, clipAll(v))
	case bool:
		l.Number(name, strconv.FormatBool(v))
	case int:
		l.Int(name, int64(v))
	case int64:
		l.Int(name, v)
	case time.Time:
		l.Some(name, v.UTC().Format(time.RFC3339))
	default:
		l.Some(name, clip(fmt.Sprint(v)))
	}
}

func addText(l *trail.Line, name, value string) {
	switch {
	case name == inLogOnly:
	case slices.Contains(lists, name):
		l.List(name, clipAll(strings.Fields(value)))
	default:
		l.Some(name, clip(value))
	}
}

// textIn is a field that is text, or "".
func textIn(fields []any, name string) string {
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == name {
			text, _ := fields[i+1].(string)
			return text
		}
	}
	return ""
}

func listIn(fields []any, name string) []string {
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == name {
			list, _ := fields[i+1].([]string)
			return list
		}
	}
	return nil
}

const (
	maxLogged  = 300
	maxListed  = 100
	crowdLines = 50 // a second
)

// clip bounds what a stranger may write into one field of a log line.
func clip(s string) string {
	if len(s) <= maxLogged {
		return s
	}
	return strings.ToValidUTF8(s[:maxLogged], "") + "…"
}

func clipAll(list []string) []string {
	var all []string
	for _, s := range list[:min(len(list), maxListed)] {
		all = append(all, clip(s))
	}
	return all
}

// crowd bounds the lines about requests that anybody can send by the thousand:
// the next line says how many had none of their own.
type crowd struct {
	lines      *rate.Limiter
	unrecorded atomic.Int64
}

func newCrowd() *crowd { return &crowd{lines: rate.NewLimiter(crowdLines, crowdLines)} }

// crowded are refusals for which nothing was looked at.
var crowded = []Reason{UnknownPath, WrongVerb, WrongHost, TooMany}

func (c *crowd) room(why Reason) bool {
	if !slices.Contains(crowded, why) || c.lines.AllowN(time.Now(), 1) {
		return true
	}
	c.unrecorded.Add(1)
	return false
}

func newRequestID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return hex.EncodeToString(id[:])
}
