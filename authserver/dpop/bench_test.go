package dpop

import (
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
)

func BenchmarkVerify(b *testing.B) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		b.Fatal(err)
	}
	target, err := ParseTarget("https://mcp.example.com/calculator/mcp")
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	proof, err := Make(key, now, "POST", target, "token", "")
	if err != nil {
		b.Fatal(err)
	}
	want := AtResource("POST", target, "token", Window{5 * time.Minute, 5 * time.Minute})
	headers := []string{proof}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(now, headers, want); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseTarget(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseTarget("https://mcp.example.com/calculator/mcp"); err != nil {
			b.Fatal(err)
		}
	}
}
