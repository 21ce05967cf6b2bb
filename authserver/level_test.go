package authserver

import (
	"strings"
	"testing"
)

func TestLevelIsWhatWasDone(t *testing.T) {
	for _, row := range []struct {
		done, more string
		methods    string
		want       level
	}{
		{"", "", "", ""},
		{"", "pwd", "pwd", "pwd"},
		{"pwd", "pwd", "pwd", "pwd"},
		{"pwd", "otp", "pwd otp mfa", "mfa"},
		{"pwd otp mfa", "otp", "pwd otp mfa", "mfa"},
		{"", "otp", "otp", "pwd"},
		{"otp", "hwk", "otp hwk", "pwd"}, // two things one has
		{"pwd", "hwk", "pwd hwk mfa", "phr"},
		{"pwd otp mfa", "swk", "pwd otp mfa swk", "phr"},
		{"", "hwk user mfa", "hwk user mfa", "phr"}, // whose device asked for a finger
		{"", "hwk", "hwk", "pwd"},
		{"", "mfa", "mfa", "mfa"}, // another provider says so
	} {
		got := addMethods(strings.Fields(row.done), strings.Fields(row.more)...)
		if strings.Join(got, " ") != row.methods || levelOf(got) != row.want {
			t.Errorf("%q and %q: %v is %q, want %q", row.done, row.more, got, levelOf(got), row.want)
		}
	}
}

func TestLevelsHaveAnOrder(t *testing.T) {
	order := append([]level{""}, levels...)
	for i, have := range order {
		for j, wanted := range order {
			if have.meets(wanted) != (i >= j) {
				t.Errorf("%q meets %q: %v", have, wanted, have.meets(wanted))
			}
		}
	}
}

func TestWeakestOfTheValuesIsDemanded(t *testing.T) {
	for values, want := range map[string]level{"": "", "pwd": "pwd", "phr mfa": "mfa", "gold phr": "phr"} {
		if got, err := readACR(values); got != want || err != nil {
			t.Errorf("%q: %q, %v", values, got, err)
		}
	}
	for _, values := range []string{"gold", " ", "PWD", "urn:postern:acr:password"} {
		if got, err := readACR(values); got != "" || reasonOf(err) != UnmetACR {
			t.Errorf("%q: %q, %v", values, got, err)
		}
	}
}
