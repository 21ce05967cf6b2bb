package rate

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Rate{
		"10/s": {10, time.Second}, "1/m": {1, time.Minute}, "600/m": {600, time.Minute},
		"1000000/h": {1_000_000, time.Hour}, "off": {},
	} {
		got, err := Parse(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "10", "10/", "/m", "10/d", "10/M", "0/m", "-1/m", "+1/m", "01/m", "1.5/m", "1e3/m", " 10/m", "10/m ", "10/m/m", "10 /m", "1000001/s", "99999999999999999999/s", "Off", "10/ms"} {
		if got, err := Parse(text); err == nil || got != (Rate{}) {
			t.Errorf("%q: %v %v, want an error", text, got, err)
		}
	}
}

func TestIntervalIsNeverTooShort(t *testing.T) {
	for _, row := range []struct {
		rate Rate
		want time.Duration
	}{
		{Rate{10, time.Minute}, 6 * time.Second},
		{Rate{7, time.Minute}, 8571429 * time.Microsecond},
		{Rate{Most, time.Second}, time.Microsecond},
		{Rate{3, time.Second}, 333334 * time.Microsecond},
	} {
		if got := row.rate.Interval(); got != row.want {
			t.Errorf("%s: %s, want %s", row.rate, got, row.want)
		}
	}
}
