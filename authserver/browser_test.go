package authserver

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// chromium is a real browser, driven over its debugging pipe.
type chromium struct {
	t       *testing.T
	in      *os.File
	out     *bufio.Reader
	session string
	last    int
	heard   []string // events so far
}

func startChromium(t *testing.T) *chromium {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("this test needs a browser: install the Debian package chromium")
	}
	theirIn, in, err1 := os.Pipe()
	out, theirOut, err2 := os.Pipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	profile, err := os.MkdirTemp("", "postern-chromium")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
		"--remote-debugging-pipe", "--user-data-dir="+profile, "about:blank")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_, _ = in.Close(), out.Close()
		_ = os.RemoveAll(profile) // its child processes may still be writing: then the system cleans up
	})
	_, _ = theirIn.Close(), theirOut.Close()
	c := &chromium{t: t, in: in, out: bufio.NewReader(out)}
	c.fresh()
	return c
}

// fresh opens a tab in a browser context of its own: no cookies.
func (c *chromium) fresh() {
	c.session = ""
	var context struct {
		ID string `json:"browserContextId"`
	}
	c.call("Target.createBrowserContext", nil, &context)
	var made struct {
		TargetID string `json:"targetId"`
	}
	c.call("Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": context.ID}, &made)
	var joined struct {
		SessionID string `json:"sessionId"`
	}
	c.call("Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &joined)
	c.session = joined.SessionID
	c.call("Page.enable", nil, nil)
}

// call sends one command and waits for its answer, passing over events.
func (c *chromium) call(method string, params map[string]any, into any) {
	c.t.Helper()
	c.last++
	msg := map[string]any{"id": c.last, "method": method}
	if params != nil {
		msg["params"] = params
	}
	if c.session != "" {
		msg["sessionId"] = c.session
	}
	body, err := json.Marshal(msg)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(body, 0)); err != nil {
		c.t.Fatal(err)
	}
	for {
		raw, err := c.out.ReadBytes(0)
		if err != nil {
			c.t.Fatalf("%s: %v", method, err)
		}
		if c.answered(method, raw[:len(raw)-1], into) {
			return
		}
	}
}

func (c *chromium) answered(method string, raw []byte, into any) bool {
	c.t.Helper()
	var got struct {
		ID     int            `json:"id"`
		Result jsontext.Value `json:"result"`
		Error  jsontext.Value `json:"error"`
	}
	if err := json.Unmarshal(raw, &got, jsontext.AllowInvalidUTF8(true)); err != nil {
		c.t.Fatal(err)
	}
	if got.ID != c.last {
		c.heard = append(c.heard, string(raw))
		return false
	}
	if strings.Contains(string(got.Error), "navigated") {
		return true // the page changed meanwhile: no value, the caller looks again
	}
	if got.Error != nil {
		c.t.Fatalf("%s: %s", method, got.Error)
	}
	if into != nil {
		if err := json.Unmarshal(got.Result, into); err != nil {
			c.t.Fatal(err)
		}
	}
	return true
}

// eval runs an expression in the page and gives its string.
func (c *chromium) eval(expression string) string {
	c.t.Helper()
	var got struct {
		Result struct {
			Value any `json:"value"`
		} `json:"result"`
	}
	c.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &got)
	return fmt.Sprint(got.Result.Value)
}

func (c *chromium) open(url string) {
	c.t.Helper()
	c.call("Page.navigate", map[string]any{"url": url}, nil)
}

// until waits for an expression to become true in the page.
func (c *chromium) until(expression string) {
	c.t.Helper()
	for range 200 {
		if c.eval(expression) == "true" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatalf("%s never came true at %s: %s", expression, c.eval("location.href"), c.eval("document.body && document.body.innerText"))
}

// untilHeard waits for an event that says something.
func (c *chromium) untilHeard(text string) {
	c.t.Helper()
	for range 200 {
		if strings.Contains(strings.Join(c.heard, "\n"), text) {
			return
		}
		time.Sleep(50 * time.Millisecond)
		c.eval("1") // events come in with answers
	}
	c.t.Fatalf("never heard of %s in %d events", text, len(c.heard))
}

func (c *chromium) signIn() {
	c.t.Helper()
	c.until(`document.readyState == "complete" && !!document.querySelector("input[name=password]")`)
	c.eval(`document.querySelector("input[name=username]").value = "` + testUser + `"`)
	c.eval(`document.querySelector("input[name=password]").value = "` + testPassword + `"`)
	c.eval(`document.querySelector("form button[type=submit]").click()`)
}

func (c *chromium) decide(decision string) {
	c.t.Helper()
	selector := `document.querySelector("button[name=decision][value=` + decision + `]")`
	c.until(`document.readyState == "complete" && !!` + selector)
	c.eval(selector + ".click()")
}

func (c *chromium) look(width, height int, scheme string) []byte {
	c.t.Helper()
	c.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	c.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	var got struct {
		Data string `json:"data"`
	}
	c.call("Page.captureScreenshot", map[string]any{"format": "png"}, &got)
	png, err := base64.StdEncoding.DecodeString(got.Data)
	if err != nil {
		c.t.Fatal(err)
	}
	return png
}

// keep writes pictures of the page when POSTERN_SCREENSHOTS names a folder.
func (c *chromium) keep(name string) {
	c.t.Helper()
	dir := os.Getenv("POSTERN_SCREENSHOTS")
	if dir == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int{320, 1100} {
			file := filepath.Join(dir, fmt.Sprintf("%s-%s-%d.png", name, scheme, width))
			if err := os.WriteFile(file, c.look(width, 820, scheme), 0o600); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

// fits says that the page needs no sideways scrolling on a small screen.
func (c *chromium) fits() {
	c.t.Helper()
	c.look(320, 640, "light")
	if c.eval("document.documentElement.scrollWidth <= 320") != "true" {
		c.t.Errorf("wider than 320 pixels at %s", c.eval("location.href"))
	}
}

// receiver is a client's redirect endpoint that keeps what it gets.
func receiver(t *testing.T) (string, <-chan url.Values) {
	t.Helper()
	got := make(chan url.Values, 4)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cb" {
			got <- r.URL.Query()
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<title>back</title>done"))
	}))
	t.Cleanup(web.Close)
	return web.URL + "/cb", got
}

// A form whose redirects leave for the client is only followed when the
// page's form-action allows it: nothing but a real browser tells.
func TestBrowserGoesTheWholeWay(t *testing.T) {
	g := newRig(t)
	redirect, got := receiver(t)
	c := startChromium(t)
	for name, at := range map[string]string{"127.0.0.1": redirect, "localhost": strings.Replace(redirect, "127.0.0.1", "localhost", 1)} {
		id := g.postJSON("/register", `{"client_name":"Desk tool","redirect_uris":["`+at+`"],"token_endpoint_auth_method":"none"}`).str("client_id")
		for _, decision := range []string{"allow", "deny"} {
			t.Run(name+" "+decision, func(t *testing.T) {
				c.t = t
				c.fresh()
				c.open(g.url + "/authorize?" + with(authorization(id), "redirect_uri", at, "scope", "calc:basic calc:power").Encode())
				c.until(`!!document.querySelector("input[name=password]")`)
				c.keep("login")
				c.fits()
				c.signIn()
				c.until(`!!document.querySelector("button[name=decision]")`)
				c.keep("consent")
				c.fits()
				c.decide(decision)
				c.until(`document.title == "back"`)
				v := <-got
				if v.Get("state") != "st&te=" || v.Get("iss") != g.url {
					t.Errorf("got %v", v)
				}
				if (decision == "allow") != (v.Get("code") != "") || (decision == "deny") != (v.Get("error") == "access_denied") {
					t.Errorf("%s: got %v", decision, v)
				}
			})
		}
	}
}

func TestBrowserShowsProblems(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	c := startChromium(t)
	c.open(g.url + "/authorize?" + with(authorization(id), "redirect_uri", "https://elsewhere.example/cb").Encode())
	c.until(`document.readyState == "complete" && document.body.innerText.includes("redirect_uri")`)
	c.keep("problem")
	c.fits()
	c.open(g.url + "/authorize?" + authorization(id).Encode())
	c.until(`document.readyState == "complete" && !!document.querySelector("input[name=password]")`)
	c.eval(`document.querySelector("input[name=username]").value = "` + testUser + `"`)
	c.eval(`document.querySelector("input[name=password]").value = "wrong"`)
	c.eval(`document.querySelector("form button[type=submit]").click()`)
	c.until(`document.readyState == "complete" && !!document.querySelector("[role=alert]")`)
	c.keep("login-wrong")
	c.fits()
	if got := c.eval(`document.querySelector("input[name=username]").value`); got != testUser {
		t.Errorf("the name typed before is %q", got)
	}
}

func TestBrowserConnectsADevice(t *testing.T) {
	g := newRig(t)
	id := g.television("")
	c := startChromium(t)
	for decision, end := range map[string]string{"allow": "Your device is connected", "deny": "Not connected"} {
		c.fresh()
		w := g.waits(id)
		c.open(w.str("verification_uri"))
		c.until(`!!document.querySelector("input[name=user_code]")`)
		c.keep("device")
		c.fits()
		c.eval(`document.querySelector("input[name=user_code]").value = "BBBB-BBBB"`)
		c.eval(`document.querySelector("form button").click()`)
		c.until(`document.readyState == "complete" && !!document.querySelector("[role=alert]")`)
		c.keep("device-wrong")
		c.fits()
		c.open(w.str("verification_uri_complete"))
		c.until(`document.readyState == "complete" && document.body.innerText.includes("Compare this code")`)
		c.keep("device-link")
		c.fits()
		c.eval(`document.querySelector("form button").click()`)
		c.signIn()
		c.until(`!!document.querySelector("button[name=decision]")`)
		c.keep("device-consent")
		c.fits()
		c.decide(decision)
		c.until(`document.readyState == "complete" && document.body.innerText.includes("` + end + `")`)
		c.keep("device-" + decision)
		c.fits()
		want := map[string]int{"allow": 200, "deny": 400}[decision]
		if a := g.post("/token", polling(id, w)); a.status != want {
			t.Errorf("%s: %d %s", decision, a.status, a.body)
		}
	}
}

func TestBrowserSignsOut(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	c := startChromium(t)
	c.open(g.url + "/authorize?" + with(authorization(id), "scope", "openid profile calc:basic").Encode())
	c.signIn()
	c.until(`!!document.querySelector("button[name=decision]")`)
	c.keep("consent-identity")
	c.fits()
	g.clock.forward(time.Second)
	c.open(g.url + "/authorize?" + with(authorization(id), "prompt", "login").Encode())
	c.until(`document.readyState == "complete" && document.body.innerText.includes("sign in once more")`)
	c.keep("login-again")
	c.fits()
	c.open(g.url + "/logout")
	c.until(`document.readyState == "complete" && document.body.innerText.includes("Sign out?")`)
	c.keep("logout")
	c.fits()
	c.eval(`document.querySelector("form button").click()`)
	c.until(`document.readyState == "complete" && document.body.innerText.includes("You are signed out")`)
	c.keep("signed-out")
	c.fits()
	c.open(g.url + "/authorize?" + authorization(id).Encode())
	c.until(`document.readyState == "complete" && !!document.querySelector("input[name=password]")`)
}
