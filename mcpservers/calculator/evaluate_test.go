package calculator

import (
	"errors"
	"math/big"
	"strings"
	"testing"
)

func TestEvaluate(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{"2+3", "5"},
		{"9007199254740993 + 0", "9007199254740993"},
		{"0.1 + 0.2", "0.3"},
		{"1/3 + 1/6", "0.5"},
		{"1/3", "1/3"},
		{"2 + 3 * 4", "14"},
		{"(2 + 3) * 4", "20"},
		{"10 - 4 - 3", "3"},
		{"100 / 10 / 2", "5"},
		{"-2^2", "-4"},
		{"(-2)**2", "4"},
		{"2^3^2", "512"},
		{"2**-2", "0.25"},
		{"2*3**2", "18"},
		{"--3", "3"},
		{"+3 - -3", "6"},
		{"7 % 3", "1"},
		{"-7 % 3", "-1"},
		{"7.5 % 2", "1.5"},
		{"1.5e3", "1500"},
		{"12E-1", "1.2"},
		{"abs(-3)", "3"},
		{"min(3, 1, 2)", "1"},
		{"max(3, 1, 2)", "3"},
		{"floor(-1.5)", "-2"},
		{"ceil(-1.5)", "-1"},
		{"ceil(1.2)", "2"},
		{"round(2.5)", "3"},
		{"round(-2.5)", "-3"},
		{"round(1.005, 2)", "1.01"},
		{"round(1250, -2)", "1300"},
		{"sqrt(144)", "12"},
		{"sqrt(1/4)", "0.5"},
		{"0^0", "1"},
		{"(-1)^99999999999999999999", "-1"},
		{"0^99999999999999999999", "0"},
		{"2^20000 % 10", "6"},
		{" 1\t+\n1 ", "2"},
	} {
		n, err := evaluate(c.expression)
		if err != nil || n.String() != c.want || !n.exact {
			t.Errorf("%s = %v (exact %v), %v; want %s", c.expression, n.rat, n.exact, err, c.want)
		}
	}
}

func TestEvaluateRounds(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{"sqrt(2)", "1.4142135623730950488016887242096980785696718753769"},
		{"sqrt(2e-4000)", "1.4142135623730950488016887242096980785696718753769e-2000"},
		{"sqrt(2e4000)", "1.4142135623730950488016887242096980785696718753769e+2000"},
		{"sqrt(2)*0 + 1", "1"},
		{"min(sqrt(2), 1)", "1"},
		{"round(sqrt(2), 3)", "1.414"},
	} {
		n, err := evaluate(c.expression)
		if err != nil || n.String() != c.want || n.exact {
			t.Errorf("%s = %s (exact %v), %v; want %s, rounded", c.expression, n, n.exact, err, c.want)
		}
	}
}

// The heaviest operands the limits let through.
var heavy = "9^9e3/7^9e3"

func TestEvaluateRefuses(t *testing.T) {
	for _, c := range []struct {
		expression string
		reason     error
	}{
		{"", errSyntax},
		{"2 +", errSyntax},
		{"2 3", errSyntax},
		{"(2", errSyntax},
		{"2)", errSyntax},
		{"2 * * 3", errSyntax},
		{"2 *** 3", errSyntax},
		{"pi", errSyntax},
		{"exec(1)", errSyntax},
		{"abs 3", errSyntax},
		{"max(1,)", errSyntax},
		{"max(1;2)", errSyntax},
		{"0x10", errSyntax},
		{"1_000", errSyntax},
		{".5", errSyntax},
		{"٣", errSyntax},
		{"1.", errNotNumber},
		{"1e", errNotNumber},
		{"1/0", errDivisionByZero},
		{"1 % (2-2)", errDivisionByZero},
		{"0^-1", errDivisionByZero},
		{"2^0.5", errExponent},
		{"sqrt(-1)", errNegativeRoot},
		{"abs()", errSyntax},
		{"abs(1, 2)", errArguments},
		{"round(1, 0.5)", errArguments},
		{"round(1, 99999)", errArguments},
		{"10^10000", errTooLarge},
		{"10^-10000", errTooLarge},
		{"1e10000", errTooLarge},
		{"1e99999999999999999999", errTooLarge},
		{"9^9^9^9", errTooLarge},
		{"2^99999999999999999999", errTooLarge},
		{"10^9999 * 10", errTooLarge},
		{strings.Repeat("(", 65) + "1" + strings.Repeat(")", 65), errTooDeep},
		{strings.Repeat("-", 65) + "1", errTooDeep},
		{strings.Repeat("1+", 500) + "1", errTooLong},
		{heavy + strings.Repeat("+"+heavy, 80), errTooMuchWork},
	} {
		n, err := evaluate(c.expression)
		if !errors.Is(err, c.reason) || n.rat != nil {
			t.Errorf("%.40s: %v, %v; want %v", c.expression, n.rat, err, c.reason)
		}
	}
}

func TestEvaluateAtTheLimits(t *testing.T) {
	for _, expression := range []string{
		"10^9999 + 1",
		strings.Repeat("(", 63) + "1" + strings.Repeat(")", 63),
		strings.Repeat("1+", 499) + "1",
	} {
		if _, err := evaluate(expression); err != nil {
			t.Errorf("%.40s: %v", expression, err)
		}
	}
}

func TestParseNumber(t *testing.T) {
	for _, c := range []struct {
		text   string
		want   string
		reason error
	}{
		{"12", "12", nil},
		{"+12", "12", nil},
		{"-0", "0", nil},
		{"1/3", "1/3", nil},
		{"2/4", "0.5", nil},
		{"1.5e2/3", "50", nil},
		{strings.Repeat("9", MaxDigits), strings.Repeat("9", MaxDigits), nil},
		{"0." + strings.Repeat("0", MaxDigits-2) + "1", "0." + strings.Repeat("0", MaxDigits-2) + "1", nil},
		{strings.Repeat("9", MaxDigits+1), "", errTooLarge},
		{strings.Repeat("0", maxNumberText+1), "", errTooLarge},
		{"1e-10000", "", errTooLarge},
		{"1/0", "", errDivisionByZero},
		{"", "", errNotNumber},
		{" 1", "", errNotNumber},
		{"1\n", "", errNotNumber},
		{"NaN", "", errNotNumber},
		{"Inf", "", errNotNumber},
		{"0x1p4", "", errNotNumber},
		{"1/-3", "", errNotNumber},
		{"true", "", errNotNumber},
	} {
		n, err := parseNumber(c.text)
		if !errors.Is(err, c.reason) || (err == nil) != (c.reason == nil) {
			t.Errorf("%.30q: %v, want %v", c.text, err, c.reason)
			continue
		}
		if err == nil && n.String() != c.want {
			t.Errorf("%.30q = %.30s, want %.30s", c.text, n, c.want)
		}
	}
}

// FuzzEvaluate holds that every answer is within the limits and, written out
// and read again, is the same number.
func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{
		"1+2*3", "-2^2", "2**-3", "(1/3)%0.1", "min(1,2,max(3,4))", "round(1.005,2)", "sqrt(2)", "9^9^9",
		"1e400", "1e-9999", "((((1))))", "floor(-1.5)*ceil(1.5)", heavy + "-" + heavy, "abs(", "1..2", "١",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		n, err := evaluate(expression)
		if err != nil {
			if n != (number{}) {
				t.Fatalf("a value beside the error %v", err)
			}
			return
		}
		if n.rat.Num().CmpAbs(limit) >= 0 || n.rat.Denom().Cmp(limit) >= 0 {
			t.Fatal("the answer is beyond the limit")
		}
		if !n.exact {
			return
		}
		again, ok := new(big.Rat).SetString(n.String())
		if !ok || again.Cmp(n.rat) != 0 {
			t.Fatalf("%s is not read back as %s", n, n.rat)
		}
	})
}

func BenchmarkEvaluateHeaviest(b *testing.B) {
	expression := heavy + strings.Repeat("+"+heavy, 80)
	for b.Loop() {
		_, _ = evaluate(expression)
	}
}
