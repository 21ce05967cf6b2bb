package main

import (
	"time"

	"github.com/postern-mcp/postern/authserver/otp"
	"github.com/postern-mcp/postern/authserver/pages"
)

// drawn is a QR code, of nobody's key.
var drawn, _ = otp.Draw("otpauth://totp/auth.example.com:ada?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=auth.example.com")

var recoveryCodes = []string{"edrr-26m9-rzgv", "svnp-8qst-p4e5", "x2g5-xmz6-7usq", "ja8c-wh3m-6gqw", "scua-ddqz-pke2", "ys7m-43t5-nwtb", "njfd-a364-zjmv", "qujy-wg6b-u35p", "qxck-nu8w-eecd", "9ryv-3bns-8su5"}

// question is what a script would ask a browser for.
var question = pages.Passkey{Options: `{"challenge":"AAAAAAAAAAAAAAAAAAAAAA","rpId":"localhost"}`, State: "sealed"}

// proving are the pages on which people prove who they are, and change how they do.
func proving() []story {
	second, signUp, reset, security := pages.Frame.Second, pages.Frame.SignUp, pages.Frame.Reset, pages.Frame.Security
	keys := []pages.KeptPasskey{{ID: "a", Name: "Laptop", Since: now.Add(-90 * 24 * time.Hour), Used: now.Add(-time.Hour)}, {ID: "b", Name: invisible, Since: now.Add(-time.Hour), Cloned: true}, {ID: "c", Name: longWord, Since: now}}
	browsers := []pages.TrustedBrowser{{ID: "a", Agent: "Firefox on Linux", Since: now.Add(-24 * time.Hour), Until: now.Add(29 * 24 * time.Hour)}}
	full := pages.Security{Now: now, HasPassword: true, PasswordAt: now.Add(-200 * 24 * time.Hour), Generator: true, GeneratorAt: now.Add(-time.Hour), Recovery: 2, PasskeysOffered: true, Passkeys: keys, Browsers: browsers,
		Elsewhere: []pages.LinkedAccount{{Label: "Google", Address: "ada@example.com", Issuer: "https://accounts.google.com", Subject: "1", Since: now.Add(-90 * 24 * time.Hour), Used: now.Add(-time.Hour)}, {Label: longWord, Since: now}}, Providers: providers[1:]}
	return []story{
		alone("login-passkey", "Login", "with a passkey, and open for everybody", pages.Frame.Login, pages.Login{Asker: claudeAsks, Resource: "Calculator", Passkey: &question, SignUp: true, Ways: providers}),
		alone("second-code", "Second", "a code", second, pages.Second{User: "ada", Code: true, Recovery: true, RememberDays: 30}),
		alone("second-wrong", "Second", "the wrong code", second, pages.Second{User: "ada", Code: true, Problem: "That is not the code of this moment."}),
		alone("second-passkey", "Second", "a passkey, or a code", second, pages.Second{User: "ada", Unusual: true, Passkey: &question, Code: true, Recovery: true, RememberDays: 30}),
		alone("second-odd", "Second", "a name that hides something", second, pages.Second{User: invisible, Passkey: &question}),
		alone("sign-up", "SignUp", "whoever comes", signUp, pages.SignUp{Account: "https://auth.example.com/account", Site: "auth.example.com"}),
		alone("sign-up-invited", "SignUp", "by invitation", signUp, pages.SignUp{Account: "https://auth.example.com/account", Ticket: "t", Site: "auth.example.com", Email: "grace@example.com", InvitedBy: "Ada Lovelace (ada)", Until: pages.WhenOf(now.Add(7*24*time.Hour), now),
			Roles: []pages.GivenRole{{Name: "admin", Words: "Administrators: everything, with a second factor", Factor: true}, {Name: "user"}}}),
		alone("sign-up-operator", "SignUp", "by invitation of the operator", signUp, pages.SignUp{Account: "https://auth.example.com/account", Ticket: "t", Site: "auth.example.com", Until: pages.WhenOf(now.Add(7*24*time.Hour), now)}),
		alone("sign-up-busy", "SignUp", "too many at once", signUp, pages.SignUp{Account: "https://auth.example.com/account", Site: "auth.example.com", Username: "grace", Problem: "Too much to do right now: try again in a moment."}),
		alone("sign-up-differ", "SignUp", "the two passwords differ", signUp, pages.SignUp{Account: "https://auth.example.com/account", Site: "auth.example.com", Username: "grace", Problem: "The two passwords are not the same: type them again.", Field: "repeat_password"}),
		alone("sign-up-name", "SignUp", "the name is taken", signUp, pages.SignUp{Account: "https://auth.example.com/account", Site: "auth.example.com", Username: longWord, FullName: rightLeft, Problem: "Somebody has this user name: choose another one.", Field: "username"}),
		alone("sign-up-password", "SignUp", "the password is common", signUp, pages.SignUp{Account: "https://auth.example.com/account", Site: "auth.example.com", Username: "grace", Problem: "This is one of the most used passwords.", Field: "new_password"}),
		alone("reset", "Reset", "by a link", reset, pages.Reset{Site: "auth.example.com", Username: "ada"}),
		alone("reset-problem", "Reset", "the two are not the same", reset, pages.Reset{Site: "auth.example.com", Username: longWord, Problem: "The two passwords are not the same.", Field: "new_password"}),
		alone("reset-done", "Login", "after a reset", pages.Frame.Login, pages.Login{Username: "ada", Done: "Your new password is set. Sign in with it."}),
		signed("security", "Security", "everything there is", security, full),
		signed("security-provider", "Security", "an account at a provider alone", security, pages.Security{Now: now}),
		signed("security-code-other", "Generator", "on another phone", pages.Frame.Generator, pages.Generator{Site: "auth.example.com", User: "ada", Key: "JBSW Y3DP", Open: "otpauth://totp/auth.example.com:ada?secret=JBSWY3DPEHPK3PXP", QRSize: drawn.Size, QRPath: drawn.Path, Replaces: true, Recovery: true}),
		alone("second-recovery-wrong", "Second", "the wrong recovery code", second, pages.Second{User: "ada", Code: true, Recovery: true, RecoveryTried: true, Problem: "That is not one of your recovery codes, or it was used before: each works once."}),
		signed("security-none", "Security", "a password alone", security, pages.Security{Now: now, HasPassword: true, PasswordAt: now, PasskeysOffered: true, Roles: []string{"admin"}}),
		signed("security-joined", "Security", "right after signing up", security, pages.Security{Now: now, HasPassword: true, PasswordAt: now, PasskeysOffered: true, Roles: []string{"admin"}, Done: "joined", Address: "https://auth.example.com/account"}),
		signed("security-wanted", "Security", "what they came for needs a passkey", security, pages.Security{Now: now, PasskeysOffered: true, For: "Calculator notebook", Wanted: "phr", Then: "x", GoOn: "/consent?request=x"}),
		signed("security-go-on", "Security", "they have it now", security, pages.Security{Now: now, HasPassword: true, Generator: true, GeneratorAt: now, Done: "code-on", Then: "x", GoOn: "/consent?request=x"}),
		signed("security-code", "Generator", "a new generator", pages.Frame.Generator, pages.Generator{Site: "auth.example.com", User: "ada", Key: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP", Open: "otpauth://totp/auth.example.com:ada?secret=JBSWY3DPEHPK3PXP", QRSize: drawn.Size, QRPath: drawn.Path, Replaces: true}),
		signed("security-code-wrong", "Generator", "the wrong code", pages.Frame.Generator, pages.Generator{Site: "auth.example.com", User: "ada", Key: "JBSW Y3DP", Open: "otpauth://totp/auth.example.com:ada?secret=JBSWY3DPEHPK3PXP", QRSize: drawn.Size, QRPath: drawn.Path, Problem: "That is not the code of this moment."}),
		signed("security-code-remove", "RemoveCode", "asks first", pages.Frame.RemoveCode, pages.RemoveCode{Last: true}),
		signed("security-recovery", "RecoveryCodes", "shown once", pages.Frame.RecoveryCodes, pages.RecoveryCodes{Passkeys: true, Codes: recoveryCodes, Site: "auth.example.com", User: "ada"}),
		signed("security-recovery-first", "RecoveryCodes", "after the first second factor", pages.Frame.RecoveryCodes, pages.RecoveryCodes{Passkeys: true, Codes: recoveryCodes, Site: "auth.example.com", User: "ada", Done: "code-on"}),
		signed("security-recovery-used", "RecoveryUsed", "one was used", pages.Frame.RecoveryUsed, pages.RecoveryUsed{Left: 9, App: true, Passkeys: true, GoOn: "/account"}),
		signed("security-recovery-few", "RecoveryUsed", "few are left", pages.Frame.RecoveryUsed, pages.RecoveryUsed{Left: 1, GoOn: "/account"}),
		signed("security-passkey", "NewPasskey", "adds one", pages.Frame.NewPasskey, pages.NewPasskey{Passkey: question, Name: "Firefox on Linux"}),
		signed("security-passkey-problem", "NewPasskey", "that did not work", pages.Frame.NewPasskey, pages.NewPasskey{Passkey: question, Name: "Firefox on Linux", Problem: "This passkey is registered already."}),
		signed("security-passkey-one", "OnePasskey", "the last one", pages.Frame.OnePasskey, pages.OnePasskey{Now: now, Key: keys[0], Last: true}),
		signed("security-password", "Password", "changes it", pages.Frame.Password, pages.Password{Username: "ada", Old: true}),
		signed("security-password-stranger", "Password", "after somebody else was there", pages.Frame.Password, pages.Password{Username: "ada", Old: true, Notices: []pages.Notice{{Tone: pages.Good, Text: "You are signed out everywhere else. Now choose a new password: until then, whoever knows the old one can come back."}}}),
		signed("security-no-passkeys", "Security", "at an address without passkeys", security, pages.Security{Now: now, HasPassword: true, PasswordAt: now, Always: true}),
		signed("security-password-wrong", "Password", "the old one is wrong", pages.Frame.Password, pages.Password{Username: "ada", Old: true, Field: "password", Problem: "This is not your password: type the one you sign in with now."}),
	}
}
