package dpop

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// vector is a file of testdata/proof: what the request was, what must come of
// it, and the proof. The two rfc9449 ones are the examples of its §5 and §7.1.
type vector struct {
	name, expect, method, url, token, proof string
	now                                     time.Time
}

func vectors(tb testing.TB) []vector {
	tb.Helper()
	files, err := filepath.Glob("testdata/proof/*.txt")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no proof vectors: %v", err)
	}
	var out []vector
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		head, proof, _ := strings.Cut(string(text), "\n\n")
		fields := map[string]string{}
		for line := range strings.Lines(head) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			fields[name] = value
		}
		seconds, err := strconv.ParseInt(fields["now"], 10, 64)
		if err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
		out = append(out, vector{filepath.Base(file), fields["expect"], fields["method"], fields["url"], fields["token"], proof, time.Unix(seconds, 0)})
	}
	return out
}

func (v vector) want(tb testing.TB) Want {
	tb.Helper()
	target, err := ParseTarget(v.url)
	if err != nil {
		tb.Fatal(err)
	}
	window := Window{Past: 5 * time.Minute, Future: time.Minute}
	if v.token == "" {
		return AtEndpoint(v.method, target, window)
	}
	return AtResource(v.method, target, v.token, window)
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			proof, err := Verify(v.now, []string{v.proof}, v.want(t))
			if v.expect == "accepted" {
				if err != nil || proof.Thumbprint() != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" {
					t.Errorf("%q, %v", proof.Thumbprint(), err)
				}
				return
			}
			if reason(err) != Reason(v.expect) || !reflect.ValueOf(proof).IsZero() {
				t.Errorf("%+v, %v; want %s", proof, err, v.expect)
			}
		})
	}
}

func FuzzProof(f *testing.F) {
	all := vectors(f)
	for _, v := range all {
		f.Add(v.proof, v.method, v.url, v.token)
	}
	window := Window{Past: 5 * time.Minute, Future: time.Minute}
	f.Fuzz(func(t *testing.T, header, method, url, token string) {
		now := all[0].now
		target, err := ParseTarget(url)
		if err != nil {
			return
		}
		if again, err := ParseTarget(target.String()); err != nil || again != target {
			t.Fatalf("%q is not normal: %q, %v", target, again, err)
		}
		proof, err := Verify(now, []string{header}, AtResource(method, target, token, window))
		if err == nil {
			if again, err := Verify(now, []string{header}, AtResource(method, target, token, window)); err != nil || again != proof {
				t.Fatalf("accepted once as %+v and once as %+v, %v", proof, again, err)
			}
			if token == "" || strings.Contains(header, ",") || !proof.BoundTo(proof.Thumbprint()) {
				t.Fatalf("accepted %q for token %q", header, token)
			}
			return
		}
		if proof != (Proof{}) || reason(err) == "" {
			t.Fatalf("%+v beside %v", proof, err)
		}
	})
}
