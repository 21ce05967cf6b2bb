package authserver

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/legible"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

const (
	newsShown    = 5
	signInsPaged = 25
	maxFullName  = 200
	maxEmail     = 254
)

// account are the pages of people who are signed in.
func (s *Server) account() map[string]route {
	form := func(next string, do signedForm) handle { return s.fromVisitor(visit{next: next}, do) }
	page := func(p signedPage) handle { return s.forVisitor(visit{}, p) }
	return map[string]route{
		"":                     {get: page(s.overview), page: true},
		"/profile":             {get: page(s.profilePage), post: form("/account/profile", s.changeProfile), page: true},
		"/sessions":            {get: page(s.sessionsPage), page: true},
		"/sessions/end":        {post: form("/account/sessions", s.endOwnSession), page: true},
		"/sessions/end-others": {get: page(s.askEndOthers), post: form("/account/sessions", s.endOthers), page: true},
		"/applications":        {get: page(s.applicationsPage), page: true},
		"/application":         {get: page(s.applicationPage), page: true},
		"/application/remove":  {get: page(s.askForget), post: form(applicationsPath, s.forget), page: true},
		"/grants/end":          {post: form(applicationsPath, s.endOwnGrant), page: true},
		"/tokens":              {get: s.streamTokens},
		"/tokens/end":          {post: form(applicationsPath, s.endOwnToken), page: true},
		"/activity":            {get: page(s.activityPage), page: true},
		"/activity/seen":       {post: form("/account", s.seenActivity), page: true},
		"/activity/stranger":   {get: page(s.askStranger), post: form("/account/activity/stranger", s.stranger), page: true},
	}
}

// arrives says whether somebody typed the address of this server at a browser.
// Programs learn nothing there, as at any path that there is not.
func (s *Server) arrives(r *http.Request) bool {
	if r.Method != http.MethodGet || r.URL.Path != s.site.local("/") && r.URL.Path != s.site.path {
		return false
	}
	return strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "text/html")
}

func (s *Server) toAccount(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Vary", "Accept")
	seeOther(w, s.site.local(accountPath))
	return nil
}

func (s *Server) overview(w http.ResponseWriter, r *http.Request, v store.Session) error {
	p, err := s.overviewOf(r.Context(), v)
	if err != nil {
		return err
	}
	f, err := s.frameOf(r.Context(), v)
	if err != nil {
		return err
	}
	p.Notices, p.Address = doneNotices(r), s.site.url(accountPath)
	return f.Overview(w, http.StatusOK, p)
}

func (s *Server) overviewOf(ctx context.Context, v store.Session) (pages.Overview, error) {
	now := s.config.Now()
	person, err := s.store.Person(ctx, v.UserID)
	if err != nil {
		return pages.Overview{}, err
	}
	p := pages.Overview{Now: now, Name: person.Name, FullName: person.FullName, Factors: factorWords(person), HasPassword: person.PasswordHash != "", PasswordAt: person.PasswordAt}
	for _, role := range s.roles.All() {
		if role.Everyone {
			p.Roles = append(p.Roles, role.Name)
		}
	}
	held, err := s.heldRoles(ctx, v.UserID)
	if err != nil {
		return pages.Overview{}, err
	}
	p.Roles = append(p.Roles, without(held, p.Roles)...)
	if p.News, err = s.news(ctx, v.UserID); err != nil {
		return pages.Overview{}, err
	}
	sessions, err := s.store.Sessions(ctx, v.UserID, now)
	if err != nil {
		return pages.Overview{}, err
	}
	let, err := s.letInBy(ctx, v.UserID)
	if err != nil {
		return pages.Overview{}, err
	}
	p.Sessions, p.Applications, p.Tokens = len(sessions), len(let.applications), len(let.tokens)
	return p, nil
}

func factorWords(p store.Person) []string {
	var words []string
	if p.Generator {
		words = append(words, "authenticator app")
	}
	if p.Passkeys {
		words = append(words, "passkeys")
	}
	return words
}

// news are sign-ins worth telling that the person was not shown yet.
func (s *Server) news(ctx context.Context, user string) ([]pages.SignIn, error) {
	all, err := s.store.UnseenSignIns(ctx, user, newsShown)
	if err != nil {
		return nil, err
	}
	var news []pages.SignIn
	for _, v := range all {
		news = append(news, pages.SignIn{Until: v.At.UnixMilli(), At: v.At, Outcome: v.Outcome, Reasons: v.Reasons, Agent: v.Agent, Address: v.Address,
			Client: s.labelOf(ctx, v.ClientID), Methods: v.Methods})
	}
	return news, nil
}

func (s *Server) seenActivity(w http.ResponseWriter, r *http.Request, v store.Session, form params) error {
	until, err := strconv.ParseInt(form["until"], 10, 64)
	if err != nil {
		return refuseFor(BadForm, err)
	}
	if err := s.store.SeeSignIns(r.Context(), v.UserID, time.UnixMilli(until), s.config.Now()); err != nil {
		return err
	}
	return s.onward(w, accountPath, "seen")
}

func (s *Server) askStranger(w http.ResponseWriter, r *http.Request, v store.Session) error {
	f, err := s.frameOf(r.Context(), v)
	if err != nil {
		return err
	}
	return f.Confirm(w, http.StatusOK, pages.Confirm{
		At: accountPath, Title: "Somebody else was at your account?", Lead: "Then they may know your password. Two steps keep them out.",
		Effects: []string{"Now: you are signed out everywhere but here, and no browser is remembered any more.", "On the next page: you choose a new password, and the old one opens nothing.",
			"Afterwards, look through Security and Applications for what you did not set up yourself."},
		Button: "Sign out everywhere else, then choose a password", Path: "/account/activity/stranger", Back: pages.Link{Text: "Overview", Path: accountPath},
	})
}

// stranger ends what somebody else may hold, and leads to a new password.
func (s *Server) stranger(w http.ResponseWriter, r *http.Request, v store.Session, _ params) error {
	user, err := s.store.UserByID(r.Context(), v.UserID)
	if err != nil {
		return err
	}
	if err := s.endElsewhere(w, r, v); err != nil {
		return err
	}
	s.audit(r, "account.stranger", "subject", v.UserID)
	if user.PasswordHash == "" {
		return s.onward(w, securityPath, "stranger")
	}
	return s.onward(w, passwordPath, "stranger")
}

func (s *Server) activityPage(w http.ResponseWriter, r *http.Request, v store.Session) error {
	below := int64(0)
	if before := r.URL.Query().Get("before"); before != "" {
		n, err := strconv.ParseInt(before, 10, 64)
		if err != nil || n < 1 {
			return refuse(BadForm)
		}
		below = n
	}
	rows, err := s.store.SignInRows(r.Context(), v.UserID, "", below, signInsPaged+1)
	if err != nil {
		return err
	}
	p := pages.Activity{Now: s.config.Now(), Notices: doneNotices(r)}
	if below != 0 {
		p.First = "/account/activity"
	}
	if len(rows) > signInsPaged {
		rows = rows[:signInsPaged]
		p.Next = "/account/activity?before=" + strconv.FormatInt(rows[signInsPaged-1].Number, 10)
	}
	for _, row := range rows {
		p.All = append(p.All, s.signInOf(r.Context(), row))
	}
	f, err := s.frameOf(r.Context(), v)
	if err != nil {
		return err
	}
	return f.Activity(w, http.StatusOK, p)
}

func (s *Server) signInOf(ctx context.Context, row store.SignInRow) pages.SignIn {
	return pages.SignIn{At: row.At, Outcome: row.Outcome, Reasons: row.Reasons, Agent: row.Agent, Address: row.Address,
		Client: s.labelOf(ctx, row.ClientID), Methods: row.Methods}
}

func (s *Server) profilePage(w http.ResponseWriter, r *http.Request, v store.Session) error {
	u, err := s.store.UserByID(r.Context(), v.UserID)
	if err != nil {
		return err
	}
	f, err := s.frameOf(r.Context(), v)
	if err != nil {
		return err
	}
	return f.Profile(w, http.StatusOK, pages.Profile{Name: u.Name, FullName: u.FullName, Email: u.Email, Verified: u.EmailVerified, Notices: doneNotices(r)})
}

func (s *Server) changeProfile(w http.ResponseWriter, r *http.Request, v store.Session, form params) error {
	p := pages.Profile{Name: v.UserName, FullName: strings.TrimSpace(form["full_name"]), Email: strings.TrimSpace(form["email"])}
	if p.Problem = profileProblem(p); p.Problem != "" {
		f, err := s.frameOf(r.Context(), v)
		if err != nil {
			return err
		}
		return f.Profile(w, http.StatusUnprocessableEntity, p)
	}
	err := s.store.ChangePerson(own(r, v), v.UserID, s.config.Now(), func(was store.Person) (store.User, error) {
		u := was.User
		u.FullName, u.Email, u.EmailVerified = p.FullName, p.Email, u.EmailVerified && u.Email == p.Email
		return u, nil
	})
	if err != nil {
		return admitted(err)
	}
	s.audit(r, "account.profile_changed", "subject", v.UserID)
	return s.onward(w, "/account/profile", "saved")
}

func profileProblem(p pages.Profile) string {
	odd := func(r rune) bool { return !legible.Shows(r) }
	switch {
	case len(p.FullName) > maxFullName || strings.ContainsFunc(p.FullName, odd):
		return "The name is too long, or has characters that show nothing, as some emoji do within, or spaces other than the common one: leave them out."
	case len(p.Email) > maxEmail || checkEmail(p.Email) != nil || strings.ContainsFunc(p.Email, odd):
		return "This is no e-mail address: write it as name@example.com."
	}
	return ""
}
