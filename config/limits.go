package config

import (
	"time"
)

// Limits bound what a caller may send.
type Limits struct {
	Body     int           `yaml:"body"`      // bytes of one message; default 4194304
	BodyTime time.Duration `yaml:"body_time"` // until the message is in; default 30s
	InFlight int           `yaml:"in_flight"` // requests at a time, streams included; default 4096
}

func (l Limits) validate(c *check) {
	if l.Body < 1<<10 || l.Body > 64<<20 {
		c.fail("must lie between 1024 and 67108864 bytes", "limits", "body")
	}
	if l.InFlight < 1 || l.InFlight > 1<<20 {
		c.fail("must lie between 1 and 1048576", "limits", "in_flight")
	}
	c.between(l.BodyTime, time.Second, 10*time.Minute, "limits", "body_time")
}
