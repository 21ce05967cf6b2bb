package config

import "time"

// SecondFactor says when people are asked for the second factor they have.
type SecondFactor struct {
	Ask      string         `yaml:"ask"`      // risk (default): where risk, a role or a client wants it; or always
	Remember *time.Duration `yaml:"remember"` // how long not at a browser that its person trusts; default 720h, 0s: never
}

func (s *SecondFactor) complete() {
	fill(&s.Ask, "risk")
	if s.Remember == nil {
		month := 30 * 24 * time.Hour
		s.Remember = &month
	}
}

func (a *AuthServer) validateAccounts(c *check) {
	c.oneOf(a.SignUp, []string{"closed", "invitation", "open"}, "authserver", "sign_up")
	c.oneOf(a.SecondFactor.Ask, []string{"risk", "always"}, "authserver", "second_factor", "ask")
	c.between(*a.SecondFactor.Remember, 0, 365*24*time.Hour, "authserver", "second_factor", "remember")
}
