package config

// Credential is what the proxy shows the upstream, never the caller's token.
type Credential struct {
	Type   string `yaml:"type"`   // none or header
	Header string `yaml:"header"` // default Authorization
	Prefix string `yaml:"prefix"` // such as "Bearer "
	File   string `yaml:"file"`   // holds the secret
}

func (k *Credential) complete(folder string) {
	absolute(folder, &k.File)
	if k.Type == "header" {
		fill(&k.Header, "Authorization")
	}
}

func (k Credential) validate(c *check, at func(...any) []any) {
	switch k.Type {
	case "none":
		if k.Header+k.Prefix+k.File != "" {
			c.fail("type none takes no other key", at("credential")...)
		}
	case "header":
		c.needs(k.File, "missing: the file that holds the secret", at("credential", "file")...)
	case "":
		c.fail("missing: say {type: none} or {type: header, file: …}", at("credential")...)
	default:
		c.fail("must be one of: none, header", at("credential", "type")...)
	}
}
