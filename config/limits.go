package config

import (
	"slices"
	"time"

	"github.com/postern-mcp/postern/policy/rate"
)

// Limits bound what a caller may send and hold.
type Limits struct {
	Body            int           `yaml:"body"`                    // bytes of one message; default 4194304
	BodyTime        time.Duration `yaml:"body_time"`               // until the message is in; default 30s
	WriteTime       time.Duration `yaml:"write_time"`              // until the caller has taken one piece of its answer; default 30s
	AnswerTime      time.Duration `yaml:"answer_time"`             // between two pieces of an upstream's answer that is no event stream; default 60s
	Connections     int           `yaml:"connections"`             // open at a time; default 8192
	PerAddress      int           `yaml:"connections_per_address"` // default half of connections
	InFlight        int           `yaml:"in_flight"`               // requests at a time, streams included; default 4096
	SubjectInFlight int           `yaml:"in_flight_per_subject"`   // default an eighth of in_flight
	SubjectStreams  int           `yaml:"streams_per_subject"`     // default half of in_flight_per_subject
	Rates           Rates         `yaml:"rates"`
}

// IssuerLimits bound what one may hold of the authorization server.
type IssuerLimits struct {
	Connections int `yaml:"connections"`             // open at a time; default 8192
	PerAddress  int `yaml:"connections_per_address"` // default half of connections; trusted proxies are not held to it
}

// Rates bound how often calls may come; off is no limit.
type Rates struct {
	Subject *rate.Rate `yaml:"subject"` // of one subject; nil leaves it to DefaultSubject
	Client  rate.Rate  `yaml:"client"`  // of one client; default off
	Server  rate.Rate  `yaml:"server"`  // at each server; default off
}

// DefaultSubject bounds one subject at each replica where no rate is set: no
// honest client meets it, and counting it asks nobody.
var DefaultSubject = rate.Rate{Number: 6000, Per: time.Minute}

const defaultConnections = 8192

func defaultLimits() Limits {
	return Limits{
		Body: 4 << 20, BodyTime: 30 * time.Second, WriteTime: 30 * time.Second, AnswerTime: time.Minute,
		Connections: defaultConnections, InFlight: 4096,
	}
}

// complete fills what depends on other keys.
func (l *Limits) complete() {
	if l.PerAddress == 0 {
		l.PerAddress = shareOf(l.Connections)
	}
	if l.SubjectInFlight == 0 {
		l.SubjectInFlight = max(l.InFlight/8, min(l.InFlight, 16))
	}
	if l.SubjectStreams == 0 {
		l.SubjectStreams = max(l.SubjectInFlight/2, 1)
	}
}

func (l *IssuerLimits) complete() {
	if l.Connections == 0 {
		l.Connections = defaultConnections
	}
	if l.PerAddress == 0 {
		l.PerAddress = shareOf(l.Connections)
	}
}

// shareOf leaves half to others, where that is any good.
func shareOf(connections int) int { return max(connections/2, min(connections, 16)) }

func (l IssuerLimits) validate(c *check) {
	c.connections(l.Connections, l.PerAddress, "authserver", "limits")
}

func (c *check) connections(most, each int, key ...any) {
	if most < 1 || most > 1<<20 {
		c.fail("must lie between 1 and 1048576", append(slices.Clone(key), "connections")...)
		return
	}
	if each < 1 || each > most {
		c.fail("must lie between 1 and connections", append(slices.Clone(key), "connections_per_address")...)
	}
}

func (l Limits) validate(c *check) {
	if l.Body < 1<<10 || l.Body > 64<<20 {
		c.fail("must lie between 1024 and 67108864 bytes", "limits", "body")
	}
	c.between(l.BodyTime, time.Second, 10*time.Minute, "limits", "body_time")
	c.between(l.WriteTime, time.Second, 10*time.Minute, "limits", "write_time")
	c.between(l.AnswerTime, time.Second, 24*time.Hour, "limits", "answer_time")
	c.connections(l.Connections, l.PerAddress, "limits")
	if l.InFlight < 1 || l.InFlight > 1<<20 {
		c.fail("must lie between 1 and 1048576", "limits", "in_flight")
	}
	if l.SubjectInFlight < 1 || l.SubjectInFlight > max(l.InFlight, 1) {
		c.fail("must lie between 1 and in_flight", "limits", "in_flight_per_subject")
	}
	if l.SubjectStreams < 1 || l.SubjectStreams > max(l.SubjectInFlight, 1) {
		c.fail("must lie between 1 and in_flight_per_subject", "limits", "streams_per_subject")
	}
}
