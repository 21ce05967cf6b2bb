package calculator

import (
	"errors"
	"fmt"
	"math/big"
)

// What a calculation is refused for.
var (
	errNotNumber      = errors.New("not a number; write an integer, a decimal such as 0.25 or 1e6, or a fraction such as 1/3")
	errDivisionByZero = errors.New("division by zero; the divisor must not be 0")
	errTooLarge       = fmt.Errorf("overflow; numerators and denominators are limited to %d digits", MaxDigits)
	errTooMuchWork    = errors.New("too much work; split the calculation into smaller steps")
	errExponent       = errors.New("the exponent must be an integer; use sqrt(x) for square roots")
	errNegativeRoot   = errors.New("a negative number has no real square root")
	errSyntax         = errors.New("syntax error")
	errTooLong        = fmt.Errorf("the expression is longer than %d characters", MaxExpression)
	errTooDeep        = fmt.Errorf("the expression is nested deeper than %d levels", MaxDepth)
	errArguments      = errors.New("bad arguments")
)

// workBudget is in squared 64-bit words of operands, about a nanosecond or two each.
const workBudget = 16 << 20

// calculation is one call's remaining work.
type calculation struct{ left int }

func newCalculation() *calculation { return &calculation{left: workBudget} }

func (c *calculation) spend(operands ...number) error {
	words := 1
	for _, n := range operands {
		words += (n.rat.Num().BitLen() + n.rat.Denom().BitLen()) / 64
	}
	c.left -= words * words
	if c.left < 0 {
		return errTooMuchWork
	}
	return nil
}

// combine applies a big.Rat operation within the bounds.
func (c *calculation) combine(a, b number, op func(z, x, y *big.Rat) *big.Rat) (number, error) {
	if err := c.spend(a, b); err != nil {
		return number{}, err
	}
	return bounded(number{op(new(big.Rat), a.rat, b.rat), a.exact && b.exact})
}

func (c *calculation) add(a, b number) (number, error)      { return c.combine(a, b, (*big.Rat).Add) }
func (c *calculation) subtract(a, b number) (number, error) { return c.combine(a, b, (*big.Rat).Sub) }
func (c *calculation) multiply(a, b number) (number, error) { return c.combine(a, b, (*big.Rat).Mul) }

func (c *calculation) divide(a, b number) (number, error) {
	if b.rat.Sign() == 0 {
		return number{}, errDivisionByZero
	}
	return c.combine(a, b, (*big.Rat).Quo)
}

// remainder has the sign of a, as in C, Go and JavaScript.
func (c *calculation) remainder(a, b number) (number, error) {
	if b.rat.Sign() == 0 {
		return number{}, errDivisionByZero
	}
	return c.combine(a, b, func(z, x, y *big.Rat) *big.Rat {
		z.Quo(x, y)
		whole := new(big.Rat).SetInt(new(big.Int).Quo(z.Num(), z.Denom()))
		return z.Sub(x, whole.Mul(whole, y))
	})
}

func (c *calculation) power(base, exponent number) (number, error) {
	if !exponent.rat.IsInt() {
		return number{}, errExponent
	}
	if exponent.rat.Sign() < 0 {
		inverse, err := c.divide(number{big.NewRat(1, 1), true}, base)
		if err != nil {
			return number{}, err
		}
		base = inverse
	}
	exact := base.exact && exponent.exact
	magnitude := new(big.Int).Abs(exponent.rat.Num())
	if trivial, ok := trivialPower(base.rat, magnitude); ok {
		return number{trivial, exact}, nil
	}
	// A lower bound of the result's size, before any of it is computed.
	bits := int64(max(base.rat.Num().BitLen(), base.rat.Denom().BitLen()) - 1)
	if !magnitude.IsInt64() || magnitude.Int64() > int64(limit.BitLen())/max(bits, 1) {
		return number{}, errTooLarge
	}
	numerator := new(big.Int).Exp(base.rat.Num(), magnitude, nil)
	denominator := new(big.Int).Exp(base.rat.Denom(), magnitude, nil)
	result := number{new(big.Rat).SetFrac(numerator, denominator), exact}
	if err := c.spend(result); err != nil {
		return number{}, err
	}
	return bounded(result)
}

// trivialPower answers the bases 0, 1 and -1 and the exponent 0 (0^0 is 1),
// whose powers stay small however large the exponent is.
func trivialPower(base *big.Rat, exponent *big.Int) (*big.Rat, bool) {
	if exponent.Sign() == 0 {
		return big.NewRat(1, 1), true
	}
	if base.Sign() == 0 {
		return new(big.Rat), true
	}
	if !base.IsInt() || base.Num().CmpAbs(big.NewInt(1)) != 0 {
		return nil, false
	}
	if base.Sign() < 0 && exponent.Bit(0) == 1 {
		return big.NewRat(-1, 1), true
	}
	return big.NewRat(1, 1), true
}
