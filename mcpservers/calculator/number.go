package calculator

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

const (
	// MaxDigits bounds numerator and denominator of every number.
	MaxDigits = 10_000
	// RoundedDigits is how many significant digits a rounded decimal shows.
	RoundedDigits = 50

	maxNumberText = 2*MaxDigits + 16
	maxScale      = 2 * MaxDigits
)

var (
	limit       = powerOfTen(MaxDigits)
	numberShape = regexp.MustCompile(`^([+-]?[0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?(?:/([0-9]+))?$`)
)

// number is a rational; exact is false once a root was rounded on the way.
type number struct {
	rat   *big.Rat
	exact bool
}

func powerOfTen(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// parseNumber reads "-12", "0.25", "1e6" or "1/3" exactly.
func parseNumber(text string) (number, error) {
	if len(text) > maxNumberText {
		return number{}, errTooLarge
	}
	parts := numberShape.FindStringSubmatch(text)
	if parts == nil {
		return number{}, fmt.Errorf("%w: %s", errNotNumber, quoted(text))
	}
	scale, err := decimalScale(parts[3], len(parts[2]))
	if err != nil {
		return number{}, err
	}
	rat := new(big.Rat).SetInt(integer(parts[1] + parts[2]))
	if scale >= 0 {
		rat.Mul(rat, new(big.Rat).SetInt(powerOfTen(scale)))
	} else {
		rat.Quo(rat, new(big.Rat).SetInt(powerOfTen(-scale)))
	}
	if parts[4] != "" {
		denominator := integer(parts[4])
		if denominator.Sign() == 0 {
			return number{}, fmt.Errorf("%w: %s", errDivisionByZero, quoted(text))
		}
		rat.Quo(rat, new(big.Rat).SetInt(denominator))
	}
	return bounded(number{rat, true})
}

// decimalScale is the power of ten that the digits, read as one integer, are multiplied by.
func decimalScale(exponent string, decimals int) (int, error) {
	if exponent == "" {
		return -decimals, nil
	}
	n, err := strconv.Atoi(exponent)
	if err != nil || n > maxScale || n < -maxScale {
		return 0, errTooLarge
	}
	return n - decimals, nil
}

func integer(digits string) *big.Int {
	n, _ := new(big.Int).SetString(strings.TrimPrefix(digits, "+"), 10) // the shape was checked
	return n
}

func bounded(n number) (number, error) {
	if n.rat.Num().CmpAbs(limit) >= 0 || n.rat.Denom().Cmp(limit) >= 0 {
		return number{}, errTooLarge
	}
	return n, nil
}

// String is the number as an integer, a finite decimal, or a fraction; a
// number that is not exact is its rounded decimal.
func (n number) String() string {
	if !n.exact {
		return n.decimal()
	}
	if n.rat.IsInt() {
		return n.rat.Num().String()
	}
	if places, finite := n.rat.FloatPrec(); finite && places <= MaxDigits {
		return n.rat.FloatString(places)
	}
	return n.rat.String()
}

// decimal is the number rounded to RoundedDigits significant digits.
func (n number) decimal() string {
	const precision = 512
	return new(big.Float).SetPrec(precision).SetRat(n.rat).Text('g', RoundedDigits)
}

func quoted(text string) string {
	const shown = 40
	if len(text) > shown {
		text = text[:shown] + "…"
	}
	return strconv.Quote(text)
}
