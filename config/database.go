package config

import (
	"net/url"
	"path/filepath"
	"strings"
)

// sqlitePath is PATH of sqlite:PATH.
func sqlitePath(database string) (string, bool) {
	file, ok := strings.CutPrefix(database, "sqlite:")
	return file, ok && file != ""
}

// Where codes, devices that wait and sessions are.
const (
	InDatabase = "database"
	InRedis    = "redis"
)

func (f *File) validateShortLived(c *check) {
	c.oneOf(f.AuthServer.ShortLived, []string{InDatabase, InRedis}, "authserver", "short_lived")
	if f.AuthServer.ShortLived == InRedis && f.State.Redis == nil {
		c.fail("redis needs the one of state.redis: name the file with its URL as state.redis.url_file", "authserver", "short_lived")
	}
}

func (a *AuthServer) completeDatabase(folder string) {
	absolute(folder, &a.DatabaseFile)
	if file, ok := sqlitePath(a.Database); ok && !filepath.IsAbs(file) {
		a.Database = "sqlite:" + filepath.Join(folder, file)
	}
}

func (a *AuthServer) validateDatabase(c *check) {
	if (a.Database == "") == (a.DatabaseFile == "") {
		c.fail("say where everything is kept: either sqlite:PATH or postgres://USER@HOST/NAME here, or a file with the URL in database_url_file", "authserver", "database")
		return
	}
	if _, ok := sqlitePath(a.Database); ok || a.Database == "" {
		return
	}
	u, err := url.Parse(a.Database)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		c.fail("must be sqlite:PATH or postgres://USER@HOST/NAME", "authserver", "database")
		return
	}
	if _, secret := u.User.Password(); secret || u.Query().Has("password") || u.Query().Has("sslpassword") {
		c.fail("has a password: put the URL into a file and name that in database_url_file", "authserver", "database")
	}
}
