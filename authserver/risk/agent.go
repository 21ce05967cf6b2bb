package risk

import "strings"

// Agent is what a User-Agent header says of browser and system, without their
// versions: an update makes no new browser. Whoever sends it can write what
// they like, so it tells people apart, and proves nothing.
type Agent struct {
	Browser string // such as Firefox, "" when there is nothing to tell
	System  string // such as Windows, ""
}

// String is such as "Firefox on Windows". It holds printable ASCII alone, at
// most 80 bytes of it.
func (a Agent) String() string {
	browser, system := a.Browser, a.System
	if browser == "" {
		browser = "Unknown browser"
	}
	if system == "" {
		return browser
	}
	return browser + " on " + system
}

// maxAgent is how much of a header is read.
const maxAgent = 1024

// mark is a piece of a header that only one browser, or system, has. Many call
// themselves by the names of others too, so the first mark that is there counts.
type mark struct{ piece, name string }

var browsers = []mark{
	{"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"Edge/", "Edge"}, {"Edg/", "Edge"},
	{"OPR/", "Opera"}, {"OPT/", "Opera"}, {"OPiOS/", "Opera"}, {"Opera", "Opera"},
	{"SamsungBrowser/", "Samsung Internet"}, {"YaBrowser/", "Yandex Browser"}, {"Vivaldi/", "Vivaldi"},
	{"DuckDuckGo/", "DuckDuckGo"}, {"Ddg/", "DuckDuckGo"}, {"UCBrowser/", "UC Browser"},
	{"MiuiBrowser/", "Mi Browser"}, {"HuaweiBrowser/", "Huawei Browser"}, {"Whale/", "Whale"},
	{"Brave/", "Brave"}, {"Focus/", "Firefox Focus"}, {"SeaMonkey/", "SeaMonkey"}, {"PaleMoon/", "Pale Moon"},
	{"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"},
	{"Electron/", "Electron"}, {"GSA/", "Google app"}, {"HeadlessChrome/", "Headless Chrome"},
	{"Chromium/", "Chromium"}, {"CriOS/", "Chrome"}, {"; wv)", "Android WebView"}, {"Chrome/", "Chrome"},
	{"Trident/", "Internet Explorer"}, {"MSIE ", "Internet Explorer"},
	{"Epiphany/", "GNOME Web"}, {"Safari/", "Safari"}, {"AppleWebKit/", "WebKit"},
}

var systems = []mark{
	{"Windows", "Windows"}, {"iPhone", "iOS"}, {"iPad", "iPadOS"}, {"iPod", "iOS"},
	{"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Macintosh", "macOS"}, {"Mac OS X", "macOS"},
	{"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"}, {"NetBSD", "NetBSD"}, {"Linux", "Linux"},
}

// ReadAgent reads a User-Agent header (RFC 9110 §10.1.5), whatever it holds.
func ReadAgent(header string) Agent {
	header = header[:min(len(header), maxAgent)]
	a := Agent{Browser: first(browsers, header), System: first(systems, header)}
	if a.Browser == "" {
		a.Browser = product(header)
	}
	return a
}

func first(marks []mark, header string) string {
	for _, m := range marks {
		if strings.Contains(header, m.piece) {
			return m.name
		}
	}
	return ""
}

// product is the name that a header begins with, as of programs that are no
// browsers: curl, python-requests.
func product(header string) string {
	end := 0
	for end < len(header) && end < 32 && (letter(header[end]) || end > 0 && strings.IndexByte("-_.", header[end]) >= 0) {
		end++
	}
	if name := header[:end]; name != "Mozilla" {
		return name
	}
	return ""
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
