// Package e2e holds the end-to-end tests: the real postern binary, real
// browsers, a real Redis, and clients and an issuer nobody here wrote (folder
// peers, pinned by its lock file). It has no code of its own.
package e2e
