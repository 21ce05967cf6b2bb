package config

import (
	"slices"
	"time"
)

// Keys say what the authorization server signs with, and for how long.
type Keys struct {
	Algorithm     string        `yaml:"algorithm"`      // ES256 (default), RS256, PS256 or EdDSA
	RotateEvery   time.Duration `yaml:"rotate_every"`   // default 720h
	PublishBefore time.Duration `yaml:"publish_before"` // default 24h
}

func (k *Keys) complete() {
	fill(&k.Algorithm, "ES256")
	fillDuration(&k.RotateEvery, 30*24*time.Hour)
	fillDuration(&k.PublishBefore, min(24*time.Hour, k.RotateEvery/2))
}

func (k Keys) validate(c *check, at ...any) {
	key := func(name string) []any { return append(slices.Clone(at), name) }
	c.oneOf(k.Algorithm, []string{"ES256", "RS256", "PS256", "EdDSA"}, key("algorithm")...)
	c.between(k.RotateEvery, time.Hour, 3*365*24*time.Hour, key("rotate_every")...)
	if k.PublishBefore < 15*time.Second || k.PublishBefore > k.RotateEvery/2 {
		c.fail("must lie between 15s, so that proxies know the key, and half of rotate_every", key("publish_before")...)
	}
}

// validateSecrets: a secret comes from a file or from the environment.
func (a *AuthServer) validateSecrets(c *check) {
	if (a.SecretFile == "") == (a.SecretEnv == "") {
		c.fail("give exactly one of secret_file and secret_env; make a secret with: head -c 32 /dev/urandom > FILE", "authserver", "secret_file")
	}
	if a.PreviousFile != "" && a.PreviousEnv != "" {
		c.fail("secret_previous_file and secret_previous_env exclude each other", "authserver", "secret_previous_file")
	}
}
