package pages

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestTimesInWords(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "just now", 59 * time.Second: "just now", time.Minute: "1 minute ago", 59 * time.Minute: "59 minutes ago",
		time.Hour: "1 hour ago", 47 * time.Hour: "47 hours ago", 48 * time.Hour: "2 days ago", 90 * 24 * time.Hour: "3 months ago",
		89 * time.Second: "1 minute ago", 90 * time.Second: "2 minutes ago", 59*time.Minute + 29*time.Second: "59 minutes ago", 59*time.Minute + 31*time.Second: "1 hour ago",
		-(7*24*time.Hour - time.Second): "in 7 days", -(24*time.Hour - time.Second): "in 24 hours", -(48*time.Hour - time.Second): "in 2 days", -(60*24*time.Hour - time.Second): "in 2 months",
		-10 * time.Minute: "in 10 minutes", -time.Second: "in less than a minute",
	} {
		w := WhenOf(now.Add(-d), now)
		if w.Words != want || w.Machine != now.Add(-d).Format(time.RFC3339) {
			t.Errorf("%v: %+v, want %s", d, w, want)
		}
	}
	if w := WhenOf(time.Time{}, now); w != (When{Words: "never"}) {
		t.Errorf("the zero time: %+v", w)
	}
}

func sheet(t *testing.T, f Frame, p Sheet) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := f.Sheet(w, 200, p); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestEveryFormCarriesTheToken(t *testing.T) {
	f := Frame{Base: "/as", At: "/account", Visitor: &Visitor{Name: "ada", Token: "t0k"}}
	body := sheet(t, f, Sheet{Sections: []Section{{
		Forms: []Form{{Path: "/a", Button: "Do"}, {Path: "/s", Button: "Look", Search: true}},
		Acts:  []Act{{Text: "End", Path: "/b", Post: true}, {Text: "Ask", Path: "/c"}},
		Table: &Table{Columns: []string{"Name"}, Acts: true, Rows: []Row{{Cells: []Cell{{Text: "x"}}, Acts: []Act{{Text: "Go", Path: "/d", Post: true}}}}},
	}}}).Body.String()
	forms := strings.Split(body, "<form ")[1:]
	if len(forms) != 5 {
		t.Fatalf("%d forms", len(forms))
	}
	for _, form := range forms {
		form, _, _ = strings.Cut(form, "</form>")
		ours := strings.Contains(form, `action="/as/logout"`) || strings.Contains(form, `method="get"`)
		if has := strings.Contains(form, `name="token" value="t0k"`); has == ours {
			t.Errorf("token is there: %v in %s", has, form)
		}
	}
}

func TestScriptsOnlyWhereTheyAreOfUse(t *testing.T) {
	f := Frame{At: "/account", Visitor: &Visitor{Name: "ada"}}
	for live, want := range map[string]bool{"": false, "/account/tokens": true} {
		w := sheet(t, f, Sheet{Live: live, Sections: []Section{{Table: &Table{}}}})
		policy := w.Header().Get("Content-Security-Policy")
		if strings.Contains(policy, "script-src 'self'") != want || strings.Contains(w.Body.String(), "<script") != want {
			t.Errorf("live %q: %s", live, policy)
		}
		if strings.Contains(policy, "unsafe") || !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("policy: %s", policy)
		}
	}
}

func TestNavigationShowsWhatIsOpen(t *testing.T) {
	for name, row := range map[string]struct {
		may        []string
		at         string
		has, lacks string
	}{
		"a person":         {nil, "/account", `href="/account/sessions"`, `href="/admin"`},
		"an administrator": {[]string{"/admin", "/admin/keys"}, "/account", `href="/admin"`, `href="/admin/keys"`},
		"of keys alone":    {[]string{"/admin", "/admin/keys"}, "/admin/keys", `href="/admin/keys" aria-current="page"`, `href="/admin/users"`},
	} {
		body := sheet(t, Frame{At: row.at, Visitor: &Visitor{Name: "ada", May: row.may}}, Sheet{}).Body.String()
		if !strings.Contains(body, row.has) || strings.Contains(body, row.lacks) {
			t.Errorf("%s: %s", name, body)
		}
	}
}

func TestMethodsInWords(t *testing.T) {
	for methods, want := range map[string]string{
		"": "", "pwd": "by password", "pwd otp mfa": "by password and code", "pwd recovery mfa": "by password and recovery code", "hwk user mfa": "by passkey", "hwk swk": "by passkey", "xyz": "",
	} {
		if got := MethodWords(strings.Fields(methods)); got != want {
			t.Errorf("%q: %q", methods, got)
		}
	}
}
