package admin

import "time"

// RiskQuery is a sign-in that could be.
type RiskQuery struct {
	UserRef
	Address string `query:"address" json:"-" max:"60" doc:"The IP address it comes from; required"`
	Agent   string `query:"agent" json:"-" max:"1024" doc:"The User-Agent header; absent: none"`
	At      string `query:"at" json:"-" max:"40" doc:"When, as RFC 3339 writes it; now when absent"`
}

// Risk is what a sign-in would get, and why.
type Risk struct {
	UserID   string        `json:"user_id"`
	UserName string        `json:"user_name"`
	At       time.Time     `json:"at"`
	Address  string        `json:"address"`
	Network  string        `json:"network" doc:"The address as it is compared"`
	Place    string        `json:"place,omitzero" doc:"The configured place of the network"`
	Agent    string        `json:"agent" doc:"The browser as it is compared"`
	Known    bool          `json:"known" doc:"The person signed in from this network with this browser"`
	Factor   bool          `json:"has_second_factor"`
	Outcome  string        `json:"outcome" enum:"allow,step_up,refuse" doc:"step_up: a second factor is asked for"`
	Points   int           `json:"points"`
	StepUp   int           `json:"step_up_from" doc:"Points from which on a second factor is asked for"`
	Refuse   int           `json:"refuse_from" doc:"Points from which on the sign-in is refused, unless it is known"`
	Findings []RiskFinding `json:"findings"`
}

// RiskFinding is one reason, with the points it adds.
type RiskFinding struct {
	Reason string `json:"reason"`
	Points int    `json:"points"`
	Words  string `json:"words"`
}
