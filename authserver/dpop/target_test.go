package dpop

import (
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	for sent, want := range map[string]string{
		"https://h.example/a":                             "https://h.example/a",
		"https://h.example":                               "https://h.example/",
		"https://h.example?q":                             "https://h.example/",
		"https://h.example#f":                             "https://h.example/",
		"HTTPS://H.Example/A":                             "https://h.example/A",
		"https://h.example:443/a":                         "https://h.example/a",
		"https://h.example:0443/a":                        "https://h.example/a",
		"https://h.example:/a":                            "https://h.example/a",
		"http://h.example:80/":                            "http://h.example/",
		"http://h.example:443/":                           "http://h.example:443/",
		"https://h.example:80/":                           "https://h.example:80/",
		"https://h.example:08080/":                        "https://h.example:8080/",
		"https://h.example/a?x=1#y":                       "https://h.example/a",
		"https://h.example/a#y?x":                         "https://h.example/a",
		"https://h.example/a?/../b":                       "https://h.example/a",
		"https://h.example/%7euser":                       "https://h.example/~user",
		"https://h.example/%41%2d":                        "https://h.example/A-",
		"https://h.example/a%2fb":                         "https://h.example/a%2Fb",
		"https://h.example/a%2Fb":                         "https://h.example/a%2Fb",
		"https://h.example/a%252fb":                       "https://h.example/a%252fb",
		"https://h.example/a/./b":                         "https://h.example/a/b",
		"https://h.example/a/../b":                        "https://h.example/b",
		"https://h.example/../../b":                       "https://h.example/b",
		"https://h.example/a/..":                          "https://h.example/",
		"https://h.example/a/b/.":                         "https://h.example/a/b/",
		"https://h.example/a/%2e%2E/b":                    "https://h.example/b",
		"https://h.example/a//b":                          "https://h.example/a//b",
		"https://h.example//":                             "https://h.example//",
		"https://h.example/.well-known/x":                 "https://h.example/.well-known/x",
		"https://h.example/a...b/..c":                     "https://h.example/a...b/..c",
		"https://h.example/a;b=c,d@e:f!$&'()*+":           "https://h.example/a;b=c,d@e:f!$&'()*+",
		"http://127.0.0.1:8080/mcp":                       "http://127.0.0.1:8080/mcp",
		"http://[::1]:8080/mcp":                           "http://[::1]:8080/mcp",
		"http://[0:0::1]/mcp":                             "http://[::1]/mcp",
		"http://[2001:DB8::A]:80/":                        "http://[2001:db8::a]/",
		"https://xn--bcher-kva.example/":                  "https://xn--bcher-kva.example/",
		"https://b\u00fccher.example/":                    "",
		"https://h.example/b\u00fccher":                   "",
		"https://h\u212a.example/":                        "",
		"https://user@h.example/":                         "",
		"https://user:pass@h.example/":                    "",
		"https://@h.example/":                             "",
		"https://h.example@evil.example/":                 "",
		"https://h%2eexample/":                            "",
		"https:///a":                                      "",
		"https://":                                        "",
		"https:/h.example/a":                              "",
		"https:h.example":                                 "",
		"//h.example/a":                                   "",
		"/a":                                              "",
		"":                                                "",
		"ftp://h.example/":                                "",
		"wss://h.example/":                                "",
		" https://h.example/":                             "",
		"https://h.example/ ":                             "",
		"https://h.example/a\tb":                          "",
		"https://h.example/a\nb":                          "",
		"https://h.example/a\\b":                          "",
		"https://h.example\\@evil.example/":               "",
		"https://h.example/a%":                            "",
		"https://h.example/a%2":                           "",
		"https://h.example/a%zz":                          "",
		"https://h.example/a%+1":                          "",
		"https://h.example:0/":                            "",
		"https://h.example:65536/":                        "",
		"https://h.example:+80/":                          "",
		"https://h.example:8x/":                           "",
		"https://h.example:1:2/":                          "",
		"http://[::1%25eth0]/":                            "",
		"http://[127.0.0.1]/":                             "",
		"http://[::1/":                                    "",
		"http://::1/":                                     "",
		"http://[]/":                                      "",
		"https://h.example/" + strings.Repeat("a", 8<<10): "",
	} {
		target, err := ParseTarget(sent)
		if target.String() != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", sent, target, err, want)
		}
		if again, err := ParseTarget(target.String()); want != "" && (err != nil || again != target) {
			t.Errorf("%q is not a fixed point: %q, %v", target, again, err)
		}
	}
}
