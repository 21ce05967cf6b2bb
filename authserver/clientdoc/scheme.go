package clientdoc

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// ErrScheme says why a scheme cannot be a private one.
var ErrScheme = errors.New("not a private-use scheme")

// taken are schemes that browsers act on themselves, or hand to a program of
// the system that does: an answer sent there would be run, stored or mailed.
var taken = strings.Fields(`
	about afp aim android-app apt blob bitcoin brave callto chrome cid content data dav devtools dict dns edge
	facetime feed file filesystem finger firefox ftp ftps geo git gopher help http https im imap intent ipfs ipns ipp
	irc ircs isolated-app jar javascript jnlp ldap ldaps livescript magnet mailto maps market mid mk mms msdt nfs news
	nntp openpgp4fpr opera payto pop prefs rdp res resource rtmp rtsp search sftp shell sip sips skype smb sms smsto
	snmp ssh steam svn tel telnet tftp urn vbscript view-source vivaldi vnc webcal webcals ws wss wyciwyg xmpp`)

// families are beginnings of such schemes: of Windows and its programs, of
// Apple's system, and of pages and extensions that registered themselves.
var families = []string{"ms-", "microsoft-", "search-", "app-", "apple-", "x-apple", "itms", "facetime-", "chrome-", "moz-", "safari-", "web+", "ext+"}

var schemeForm = regexp.MustCompile(`^[a-z][a-z0-9+-]{1,39}$`)

// CheckScheme says whether an operator may let clients register redirect URIs
// of a scheme: RFC 3986 §3.1 in lower case, without a dot (schemes with one
// need no permission), and nobody else's. It cannot tell which program on a
// device answers to it.
func CheckScheme(scheme string) error {
	if !schemeForm.MatchString(scheme) {
		return fmt.Errorf("%w: 2 to 40 lower-case letters, digits, + and -, such as cursor", ErrScheme)
	}
	if slices.Contains(taken, scheme) || slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(scheme, f) }) {
		return fmt.Errorf("%w: browsers or systems act on %s: themselves", ErrScheme, scheme)
	}
	return nil
}

// CheckSchemes checks each of a list.
func CheckSchemes(list []string) error {
	var problems []error
	for _, s := range list {
		problems = append(problems, CheckScheme(s))
	}
	return errors.Join(problems...)
}

// Permitted says whether a redirect URI's scheme may be had with the given
// private-use schemes allowed.
func Permitted(redirect string, schemes []string) bool {
	u, err := url.Parse(redirect)
	if err != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" || strings.Contains(u.Scheme, ".") || slices.Contains(schemes, u.Scheme)
}
