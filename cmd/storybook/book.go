package main

import (
	"html/template"
	"net/http"
	"strings"

	"github.com/postern-mcp/postern/authserver/pages"
)

// story is one page in one state.
type story struct {
	name  string // in its address
	page  string // the method of pages.Frame that writes it
	about string
	write func(w http.ResponseWriter, f pages.Frame) error
}

// looks are what the stylesheet is made to believe of the reader's settings.
var looks = map[string][]string{
	"light":         {never("prefers-color-scheme: dark"), never("prefers-contrast: more")},
	"dark":          {always("prefers-color-scheme: dark"), never("prefers-contrast: more")},
	"contrast":      {never("prefers-color-scheme: dark"), always("prefers-contrast: more")},
	"contrast-dark": {always("prefers-color-scheme: dark"), always("prefers-contrast: more")},
}

func always(feature string) string { return "(" + feature + ")\n(min-width: 0)" }
func never(feature string) string  { return "(" + feature + ")\n(max-width: 0)" }

func stylesheet(look string) string {
	css := pages.Stylesheet()
	for _, change := range looks[look] {
		from, to, _ := strings.Cut(change, "\n")
		css = strings.ReplaceAll(css, from, to)
	}
	scheme := "light"
	if strings.HasSuffix(look, "dark") {
		scheme = "dark"
	}
	return strings.Replace(css, "color-scheme: light dark", "color-scheme: "+scheme, 1)
}

// newBook serves the stories: /LOOK/NAME is one, /narrow/LOOK/NAME shows it at
// 320 pixels.
func newBook(all []story) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { writeIndex(w, all) })
	mux.HandleFunc("GET /narrow/{look}/{name}", narrow)
	for look := range looks {
		mux.HandleFunc("GET /"+look+pages.StylePath, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/css; charset=utf-8")
			_, _ = w.Write([]byte(stylesheet(look)))
		})
		mux.HandleFunc("GET /"+look+pages.IconPath, asset(pages.WriteIcon))
		mux.HandleFunc("GET /"+look+pages.ScriptPath, asset(pages.WriteScript))
		for _, s := range all {
			mux.HandleFunc("GET /"+look+"/"+s.name, s.serve(look))
		}
	}
	return mux
}

func asset(write func(http.ResponseWriter) error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _ = write(w) } // the reader is gone
}

func (s story) serve(look string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("framed") {
			w = framed{w}
		}
		if err := s.write(w, pages.Frame{Base: "/" + look}); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

// framed lets the storybook show a page inside another, which the pages forbid.
type framed struct{ http.ResponseWriter }

func (f framed) WriteHeader(int) {
	h := f.Header()
	h.Del("X-Frame-Options")
	h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "frame-ancestors 'none'", "frame-ancestors 'self'", 1))
	f.ResponseWriter.WriteHeader(http.StatusOK)
}

var narrowPage = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>{{.}} at 320 pixels</title>
<body style="margin:1rem;background:#888"><iframe title="{{.}}" src="{{.}}?framed" width="320" height="800" style="border:0"></iframe>`))

func narrow(w http.ResponseWriter, r *http.Request) {
	_ = narrowPage.Execute(w, "/"+r.PathValue("look")+"/"+r.PathValue("name")) // the reader is gone
}

var index = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Storybook</title>
<style>body{font:100%/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}td{padding:.25rem 1rem .25rem 0;vertical-align:top}</style>
<h1>Every page, in every state</h1><table>
{{range .}}<tr><th scope="row" align="left">{{.Name}}</th><td>{{.About}}</td>
<td><a href="/light/{{.Name}}">light</a> <a href="/dark/{{.Name}}">dark</a> <a href="/contrast/{{.Name}}">contrast</a> <a href="/contrast-dark/{{.Name}}">contrast, dark</a>
<a href="/narrow/light/{{.Name}}">narrow</a> <a href="/narrow/dark/{{.Name}}">narrow, dark</a></td></tr>
{{end}}</table>`))

func writeIndex(w http.ResponseWriter, all []story) {
	type line struct{ Name, About string }
	var lines []line
	for _, s := range all {
		lines = append(lines, line{s.name, s.about})
	}
	_ = index.Execute(w, lines) // the reader is gone
}
