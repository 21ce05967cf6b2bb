package calculator

import (
	"fmt"
	"strings"
)

const (
	// MaxExpression is the longest expression in bytes.
	MaxExpression = 1_000
	// MaxDepth bounds nested parentheses, signs and exponents.
	MaxDepth = 64
)

// evaluate computes an expression exactly:
//
//	sum     = product { ("+" | "-") product }
//	product = signed { ("*" | "/" | "%") signed }
//	signed  = { "+" | "-" } power
//	power   = primary [ ("^" | "**") signed ]
//	primary = number | name "(" sum { "," sum } ")" | "(" sum ")"
//
// so -2^2 is -4 and 2^3^2 is 512.
func evaluate(text string) (number, error) {
	if len(text) > MaxExpression {
		return number{}, errTooLong
	}
	e := &expression{text: text, calculation: newCalculation()}
	n, err := e.sum()
	if err != nil {
		return number{}, err
	}
	if e.skip(); e.at < len(e.text) {
		return number{}, e.wrong("an operator")
	}
	return n, nil
}

// expression is a text being read; at is the next byte.
type expression struct {
	text  string
	at    int
	depth int
	*calculation
}

type operation struct {
	sign  string
	apply func(a, b number) (number, error)
}

func (e *expression) sum() (number, error) {
	return e.chain(e.product, operation{"+", e.add}, operation{"-", e.subtract})
}

func (e *expression) product() (number, error) {
	return e.chain(e.signed, operation{"*", e.multiply}, operation{"/", e.divide}, operation{"%", e.remainder})
}

// chain reads left-associative operations of one precedence.
func (e *expression) chain(operand func() (number, error), operations ...operation) (number, error) {
	left, err := operand()
	for err == nil {
		apply := e.operator(operations)
		if apply == nil {
			return left, nil
		}
		var right number
		if right, err = operand(); err == nil {
			left, err = apply(left, right)
		}
	}
	return number{}, err
}

func (e *expression) operator(operations []operation) func(a, b number) (number, error) {
	for _, o := range operations {
		if e.take(o.sign) {
			return o.apply
		}
	}
	return nil
}

func (e *expression) signed() (number, error) {
	if e.depth >= MaxDepth {
		return number{}, errTooDeep
	}
	e.depth++
	defer func() { e.depth-- }()
	if e.take("+") {
		return e.signed()
	}
	if !e.take("-") {
		return e.power()
	}
	n, err := e.signed()
	if err != nil {
		return number{}, err
	}
	return e.subtract(number{zero, true}, n)
}

func (e *expression) power() (number, error) {
	base, err := e.primary()
	if err != nil {
		return number{}, err
	}
	if !e.take("**") && !e.take("^") {
		return base, nil
	}
	exponent, err := e.signed()
	if err != nil {
		return number{}, err
	}
	return e.calculation.power(base, exponent)
}

func (e *expression) primary() (number, error) {
	if e.take("(") {
		n, err := e.sum()
		if err == nil && !e.take(")") {
			return number{}, e.wrong(`")"`)
		}
		return n, err
	}
	if literal := e.literal(); literal != "" {
		return parseNumber(literal)
	}
	name := e.span(isLetter)
	if _, known := functions[name]; !known {
		e.at -= len(name)
		return number{}, e.wrong("a number, a function (abs, ceil, floor, max, min, round, sqrt) or \"(\"")
	}
	arguments, err := e.arguments()
	if err != nil {
		return number{}, err
	}
	return e.call(name, arguments)
}

func (e *expression) arguments() ([]number, error) {
	if !e.take("(") {
		return nil, e.wrong(`"("`)
	}
	var arguments []number
	for {
		n, err := e.sum()
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, n)
		if e.take(")") {
			return arguments, nil
		}
		if !e.take(",") {
			return nil, e.wrong(`"," or ")"`)
		}
	}
}

// literal reads digits [ "." digits ] [ "e" [sign] digits ].
func (e *expression) literal() string {
	e.skip()
	start := e.at
	if e.span(isDigit) == "" {
		return ""
	}
	if e.peek(0) == '.' {
		e.at++
		e.span(isDigit)
	}
	if e.peek(0) == 'e' || e.peek(0) == 'E' {
		e.at++
		if e.peek(0) == '+' || e.peek(0) == '-' {
			e.at++
		}
		e.span(isDigit)
	}
	return e.text[start:e.at]
}

func (e *expression) span(in func(byte) bool) string {
	start := e.at
	for e.at < len(e.text) && in(e.text[e.at]) {
		e.at++
	}
	return e.text[start:e.at]
}

func (e *expression) peek(ahead int) byte {
	if e.at+ahead >= len(e.text) {
		return 0
	}
	return e.text[e.at+ahead]
}

func (e *expression) skip() { e.span(isSpace) }

// take reads the token if it is next. A "*" is not the first half of "**".
func (e *expression) take(token string) bool {
	e.skip()
	if !strings.HasPrefix(e.text[e.at:], token) {
		return false
	}
	if token == "*" && e.peek(1) == '*' {
		return false
	}
	e.at += len(token)
	return true
}

func (e *expression) wrong(expected string) error {
	e.skip()
	if e.at == len(e.text) {
		return fmt.Errorf("%w: the expression ends where %s is expected", errSyntax, expected)
	}
	return fmt.Errorf("%w at character %d: expected %s, found %s", errSyntax, e.at+1, expected, quoted(e.text[e.at:]))
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' }
func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
