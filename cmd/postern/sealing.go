package main

import "fmt"

// sealingSecrets are the secret that seals what the authorization server
// keeps, and the one before it, nil when there is none.
func (s setup) sealingSecrets() (current, previous []byte, err error) {
	conf := s.file.AuthServer
	if current, err = s.sealingSecret("authserver.secret", conf.SecretFile, conf.SecretEnv); err != nil {
		return nil, nil, err
	}
	if conf.PreviousFile == "" && conf.PreviousEnv == "" {
		return current, nil, nil
	}
	previous, err = s.sealingSecret("authserver.secret_previous", conf.PreviousFile, conf.PreviousEnv)
	return current, previous, err
}

// sealingSecret is of a file, or else of a variable.
func (s setup) sealingSecret(key, file, variable string) ([]byte, error) {
	if file != "" {
		secret, err := readKey(file)
		if err != nil {
			return nil, fmt.Errorf("%s_file: %w", key, err)
		}
		return secret, nil
	}
	secret, _ := s.lookup(variable)
	if len(secret) < 32 {
		return nil, fmt.Errorf("%s_env: the variable %s holds %d bytes; a secret needs at least 32: head -c 32 /dev/urandom | base64", key, variable, len(secret))
	}
	return []byte(secret), nil
}
