package main

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/pages"
)

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestEveryStoryIsStrict(t *testing.T) {
	all := stories()
	book := newBook(all)
	inline := regexp.MustCompile(`(?i)<style|<script[^>]*>[^<]|\sstyle="|\son[a-z]+="|javascript:`)
	for _, s := range all {
		w := get(t, book, "/light/"+s.name)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", s.name, w.Code, w.Body)
			continue
		}
		policy := w.Header().Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy lacks %s: %s", s.name, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: policy %s", s.name, policy)
		}
		for name, want := range map[string]string{"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", s.name, name, got)
			}
		}
		if found := inline.FindString(w.Body.String()); found != "" {
			t.Errorf("%s has %q inline", s.name, found)
		}
	}
}

// TestEveryPageHasAStory: what writes a page is told here in some state.
func TestEveryPageHasAStory(t *testing.T) {
	frame := reflect.TypeFor[pages.Frame]()
	told := map[string]bool{"Sheet": true} // in every page with navigation
	names := map[string]bool{}
	for _, s := range stories() {
		if _, ok := frame.MethodByName(s.page); !ok || names[s.name] {
			t.Errorf("%s: no page writes %s, or the name is there twice", s.name, s.page)
		}
		told[s.page], names[s.name] = true, true
	}
	for method := range frame.Methods() {
		if method.Type.NumIn() >= 3 && method.Type.In(1) == reflect.TypeFor[http.ResponseWriter]() && !told[method.Name] {
			t.Errorf("no story tells of %s", method.Name)
		}
	}
}

func TestLooks(t *testing.T) {
	book := newBook(stories())
	for look, scheme := range map[string]string{"light": "light", "dark": "dark", "contrast": "light", "contrast-dark": "dark"} {
		css := get(t, book, "/"+look+"/style.css").Body.String()
		if !strings.Contains(css, "color-scheme: "+scheme+";") || strings.Contains(css, "prefers-color-scheme") || strings.Contains(css, "prefers-contrast") {
			t.Errorf("%s asks the browser", look)
		}
	}
	framed := get(t, book, "/light/login?framed").Header()
	if framed.Get("X-Frame-Options") != "" || !strings.Contains(framed.Get("Content-Security-Policy"), "frame-ancestors 'self'") {
		t.Errorf("not to be framed: %v", framed)
	}
	if w := get(t, book, "/narrow/dark/login"); !strings.Contains(w.Body.String(), `src="/dark/login?framed" width="320"`) {
		t.Errorf("narrow: %s", w.Body)
	}
	if index := get(t, book, "/").Body.String(); strings.Count(index, "/dark/") != 2*len(stories()) {
		t.Error("the index does not lead to every story")
	}
}

// TestStylesheetHasOnlyTokens: a colour outside the tokens would be forgotten
// in one of the surroundings.
func TestStylesheetHasOnlyTokens(t *testing.T) {
	_, rules, ok := strings.Cut(pages.Stylesheet(), "/* Ground */")
	if !ok {
		t.Fatal("the tokens do not end")
	}
	allowed := []string{"#fff", "#000"} // paper, and the ground of QR codes
	for _, colour := range regexp.MustCompile(`#[0-9a-f]{3,8}\b`).FindAllString(rules, -1) {
		if !slices.Contains(allowed, colour) {
			t.Errorf("%s is no token", colour)
		}
	}
}

// TestOnlyOneScript: everything works without one but what script.js does.
func TestOnlyOneScript(t *testing.T) {
	var scripts []string
	err := fs.WalkDir(os.DirFS("../../authserver/pages"), ".", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".js") {
			scripts = append(scripts, path)
		}
		return err
	})
	if err != nil || !slices.Equal(scripts, []string{"script.js"}) {
		t.Errorf("scripts %v, %v", scripts, err)
	}
}

// TestPicturesAreThere: what the documentation shows is a picture of a story,
// and small.
func TestPicturesAreThere(t *testing.T) {
	told := map[string]bool{}
	for _, s := range stories() {
		told[s.name] = true
	}
	for _, p := range pictures {
		file, err := os.Stat("../../docs/images/" + p.story + ".png")
		if err != nil || file.Size() > 150<<10 || !told[p.story] {
			t.Errorf("%s: %v: take it with make pictures", p.story, err)
		}
	}
}

func TestOnlyLoopback(t *testing.T) {
	if err := run(t.Context(), "0.0.0.0:0"); err == nil {
		t.Error("listens to everybody")
	}
}
