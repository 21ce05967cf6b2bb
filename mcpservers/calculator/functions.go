package calculator

import (
	"fmt"
	"math/big"
)

// function is one name that an expression may call.
type function struct {
	least, most int // number of arguments
	call        func(*calculation, []number) (number, error)
}

const anyNumber = 64

var functions = map[string]function{
	"abs": {1, 1, func(_ *calculation, x []number) (number, error) {
		return number{new(big.Rat).Abs(x[0].rat), x[0].exact}, nil
	}},
	"min":   {1, anyNumber, func(c *calculation, x []number) (number, error) { return c.extreme(x, -1) }},
	"max":   {1, anyNumber, func(c *calculation, x []number) (number, error) { return c.extreme(x, +1) }},
	"floor": {1, 1, func(c *calculation, x []number) (number, error) { return c.whole(x[0], floor) }},
	"ceil":  {1, 1, func(c *calculation, x []number) (number, error) { return c.whole(x[0], ceil) }},
	"round": {1, 2, func(c *calculation, x []number) (number, error) { return c.round(x) }},
	"sqrt":  {1, 1, func(c *calculation, x []number) (number, error) { return c.squareRoot(x[0]) }},
}

func (c *calculation) call(name string, arguments []number) (number, error) {
	f := functions[name]
	if len(arguments) < f.least || len(arguments) > f.most {
		return number{}, fmt.Errorf("%w: %s takes %d to %d, not %d", errArguments, name, f.least, f.most, len(arguments))
	}
	if err := c.spend(arguments...); err != nil {
		return number{}, err
	}
	result, err := f.call(c, arguments)
	if err != nil {
		return number{}, err
	}
	return bounded(result)
}

// extreme is the smallest (sign -1) or largest (sign +1) of x.
func (c *calculation) extreme(x []number, sign int) (number, error) {
	best, exact := x[0], x[0].exact
	for _, n := range x[1:] {
		if err := c.spend(best, n); err != nil {
			return number{}, err
		}
		exact = exact && n.exact
		if n.rat.Cmp(best.rat) == sign {
			best = n
		}
	}
	return number{best.rat, exact}, nil
}

func (c *calculation) whole(x number, rounding func(*big.Rat) *big.Int) (number, error) {
	return number{new(big.Rat).SetInt(rounding(x.rat)), x.exact}, nil
}

// floor divides Euclidean, which rounds down because denominators are positive.
func floor(x *big.Rat) *big.Int { return new(big.Int).Div(x.Num(), x.Denom()) }

func ceil(x *big.Rat) *big.Int {
	down := floor(new(big.Rat).Neg(x))
	return down.Neg(down)
}

// half rounds halves away from zero.
func half(x *big.Rat) *big.Int {
	if x.Sign() < 0 {
		up := half(new(big.Rat).Neg(x))
		return up.Neg(up)
	}
	return floor(new(big.Rat).Add(x, big.NewRat(1, 2)))
}

func (c *calculation) round(x []number) (number, error) {
	if len(x) == 1 {
		return c.whole(x[0], half)
	}
	if !x[1].rat.IsInt() || x[1].rat.Num().CmpAbs(big.NewInt(MaxDigits)) > 0 {
		return number{}, fmt.Errorf("%w: round(x, digits) takes up to %d whole digits", errArguments, MaxDigits)
	}
	digits := int(x[1].rat.Num().Int64())
	scale := new(big.Rat).SetInt(powerOfTen(max(digits, -digits)))
	if digits < 0 {
		scale.Inv(scale)
	}
	if err := c.spend(x[0], number{scale, true}); err != nil {
		return number{}, err
	}
	scaled := new(big.Rat).SetInt(half(new(big.Rat).Mul(x[0].rat, scale)))
	return number{scaled.Quo(scaled, scale), x[0].exact}, nil
}

// squareRoot is exact for squares of rationals, else rounded past RoundedDigits.
func (c *calculation) squareRoot(x number) (number, error) {
	if x.rat.Sign() < 0 {
		return number{}, errNegativeRoot
	}
	numerator, denominator := new(big.Int).Sqrt(x.rat.Num()), new(big.Int).Sqrt(x.rat.Denom())
	root := new(big.Rat).SetFrac(numerator, denominator)
	if new(big.Rat).Mul(root, root).Cmp(x.rat) == 0 {
		return number{root, x.exact}, nil
	}
	const guardDigits, digitsPerBit = 12, 0.30103
	magnitude := float64(x.rat.Num().BitLen()-x.rat.Denom().BitLen()) / 2 * digitsPerBit
	places := max(0, RoundedDigits+guardDigits-int(magnitude))
	scaled := new(big.Int).Mul(x.rat.Num(), powerOfTen(2*places))
	scaled.Sqrt(scaled.Quo(scaled, x.rat.Denom()))
	return number{new(big.Rat).SetFrac(scaled, powerOfTen(places)), false}, nil
}
