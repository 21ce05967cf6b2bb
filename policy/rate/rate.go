// Package rate says how often something may happen: 10/m is ten in a minute,
// all ten at once if need be, and from then on one each six seconds.
package rate

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Rate is a number of times in a period. The zero Rate is no limit.
type Rate struct {
	Number int
	Per    time.Duration // that Parse reads are a second, a minute or an hour
}

// Most is the largest number a rate may name.
const Most = 1_000_000

var units = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

var errForm = errors.New("must be a number from 1 to 1000000 for a second, minute or hour, such as 10/m, or off")

// Parse reads 10/s, 10/m, 10/h or off.
func Parse(text string) (Rate, error) {
	if text == "off" {
		return Rate{}, nil
	}
	digits, unit, _ := strings.Cut(text, "/")
	per, known := units[unit]
	number, err := strconv.Atoi(digits)
	if !known || err != nil || digits[0] == '0' || digits[0] == '+' || number < 1 || number > Most {
		return Rate{}, errForm
	}
	return Rate{Number: number, Per: per}, nil
}

// UnmarshalText is Parse.
func (r *Rate) UnmarshalText(text []byte) (err error) {
	*r, err = Parse(string(text))
	return err
}

// Limits says whether there is a limit at all.
func (r Rate) Limits() bool { return r.Number > 0 }

// Interval is the time after which one more may happen, in whole microseconds,
// never too short.
func (r Rate) Interval() time.Duration {
	micros := (r.Per.Microseconds() + int64(r.Number) - 1) / int64(r.Number)
	return time.Duration(micros) * time.Microsecond
}

// String is what Parse reads.
func (r Rate) String() string {
	for unit, per := range units {
		if r.Limits() && per == r.Per {
			return strconv.Itoa(r.Number) + "/" + unit
		}
	}
	return "off"
}
