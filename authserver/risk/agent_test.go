package risk

import (
	"strings"
	"testing"
)

func TestReadAgent(t *testing.T) {
	const kit = " AppleWebKit/537.36 (KHTML, like Gecko) "
	for header, want := range map[string]string{
		firefox: "Firefox on Linux",
		safari:  "Safari on macOS",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:131.0) Gecko/20100101 Firefox/131.0":                                                                                  "Firefox on Windows",
		"Mozilla/5.0 (Android 14; Mobile; rv:131.0) Gecko/131.0 Firefox/131.0":                                                                                              "Firefox on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/131.0 Mobile/15E148 Safari/605.1.15":                         "Firefox on iOS",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + kit + "Chrome/130.0.0.0 Safari/537.36":                                                                                "Chrome on Windows",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)" + kit + "Chrome/130.0.0.0 Safari/537.36":                                                                                 "Chrome on ChromeOS",
		"Mozilla/5.0 (Linux; Android 10; K)" + kit + "Chrome/130.0.0.0 Mobile Safari/537.36":                                                                                "Chrome on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0.6723.37 Mobile/15E148 Safari/604.1":                    "Chrome on iOS",
		"Mozilla/5.0 (X11; Linux x86_64)" + kit + "HeadlessChrome/130.0.0.0 Safari/537.36":                                                                                  "Headless Chrome on Linux",
		"Mozilla/5.0 (X11; Linux x86_64)" + kit + "Ubuntu Chromium/80.0.3987.87 Chrome/80.0.3987.87 Safari/537.36":                                                          "Chromium on Linux",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8; wv)" + kit + "Version/4.0 Chrome/130.0.6723.58 Mobile Safari/537.36":                                                      "Android WebView on Android",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + kit + "Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0":                                                                  "Edge on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + kit + "Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763":                                                              "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 10; HD1913)" + kit + "Chrome/130.0.6723.58 Mobile Safari/537.36 EdgA/129.0.2792.84":                                                    "Edge on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 EdgiOS/129.0.2792.84 Mobile/15E148 Safari/605.1.15": "Edge on iOS",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)" + kit + "Chrome/130.0.0.0 Safari/537.36 OPR/114.0.0.0":                                                            "Opera on macOS",
		"Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18":                                                                                                  "Opera on Windows",
		"Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S918B)" + kit + "SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36":                                             "Samsung Internet on Android",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + kit + "Chrome/128.0.0.0 YaBrowser/24.10.0.0 Safari/537.36":                                                            "Yandex Browser on Windows",
		"Mozilla/5.0 (X11; Linux x86_64)" + kit + "Chrome/91.0.4472.114 Safari/537.36 Vivaldi/4.0":                                                                          "Vivaldi on Linux",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15 Ddg/17.6":                                    "DuckDuckGo on macOS",
		"Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1":                                    "Safari on iPadOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1":                           "Safari on iOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148":                                                     "WebKit on iOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/339.0.0 Mobile/15E148 Safari/604.1":                            "Google app on iOS",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.0 Safari/605.1.15 Epiphany/605.1.15":                                           "GNOME Web on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + kit + "Code/1.94.2 Chrome/124.0.6367.243 Electron/30.5.1 Safari/537.36":                                               "Electron on Windows",
		"Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko":                                                                                              "Internet Explorer on Windows",
		"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0)":                                                                                                   "Internet Explorer on Windows",
		"Mozilla/5.0 (X11; FreeBSD amd64; rv:115.0) Gecko/20100101 Firefox/115.0":                                                                                           "Firefox on FreeBSD",
		"Mozilla/5.0 (X11; Linux x86_64; rv:60.0) Gecko/20100101 Firefox/60.0 SeaMonkey/2.53.19":                                                                            "SeaMonkey on Linux",
		"curl/8.5.0":                     "curl",
		"Wget/1.21.4 (linux-gnu)":        "Wget",
		"python-requests/2.31.0":         "python-requests",
		"Go-http-client/1.1":             "Go-http-client",
		"python3.12 aiohttp/3.9 Windows": "python on Windows",
		"Mozilla/5.0":                    "Unknown browser",
		"Mozilla/5.0 (X11; Linux)":       "Unknown browser on Linux",
		"":                               "Unknown browser",
		"<script>alert(1)</script>":      "Unknown browser",
		"\x1b[31mred":                    "Unknown browser",
		"-curl":                          "Unknown browser",
		strings.Repeat("a", 2000):        strings.Repeat("a", 32),
		strings.Repeat(" ", maxAgent) + "Firefox/1 Linux": "Unknown browser",
	} {
		if got := ReadAgent(header).String(); got != want {
			t.Errorf("%s:\n%s, want %s", header, got, want)
		}
	}
}

// No number makes another browser, and nothing makes one that cannot be shown.
func FuzzReadAgent(f *testing.F) {
	for _, seed := range []string{firefox, safari, "curl/8.5.0", "Edg/1 Windows NT", "a.b-c_d/1", "Mozilla", "", "\xff\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		a := ReadAgent(header)
		text := a.String()
		if text == "" || len(text) > 80 {
			t.Fatalf("%d bytes: %q", len(text), text)
		}
		for _, c := range []byte(text) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q", text)
			}
		}
		other := strings.Map(func(c rune) rune {
			if c >= '0' && c <= '9' {
				return '0' + (c-'0'+1)%10
			}
			return c
		}, strings.ToValidUTF8(header, " "))
		if again := ReadAgent(strings.ToValidUTF8(header, " ")); again != ReadAgent(other) {
			t.Fatalf("%q with other numbers: %s, not %s", header, ReadAgent(other), again)
		}
	})
}
