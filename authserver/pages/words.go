package pages

import "slices"

// outcomeTag is how an attempt to sign in ended.
func outcomeTag(outcome string) Tag {
	switch outcome {
	case "allow":
		return Tag{"signed in", Good}
	case "step_up":
		return Tag{"second factor asked for", Note}
	case "refuse":
		return Tag{"refused", Bad}
	case "failed":
		return Tag{"did not get in", Warn}
	}
	return Tag{outcome, Plain}
}

// reasons in words, for people who were never told what they are called.
var reasons = map[string]string{
	"allowed_network":   "from a network that is always let in",
	"denied_network":    "from a network that is never let in",
	"first_sign_in":     "the first sign-in of this account",
	"known_context":     "a browser and network that were used before",
	"new_network":       "a network that was not used before, or not since the password last changed",
	"new_agent":         "a browser that was not used before, or not since the password last changed",
	"new_context":       "a browser that was not used in this network before",
	"recent_failures":   "at least one failed try shortly before",
	"impossible_travel": "too far away from the sign-in before",
	"pace":              "many tries in a short time",
	"no_second_factor":  "there was no second factor to ask for",
	"wrong_password":    "wrong password",
	"wrong_code":        "wrong code",
	"wrong_recovery":    "wrong recovery code",
	"used_code":         "a code that was used before",
	"wrong_passkey":     "a passkey that is not known here",
	"copied_passkey":    "a passkey that has a copy",
	"disabled":          "the account is disabled",
}

func reasonWords(reason string) string {
	if w, ok := reasons[reason]; ok {
		return w
	}
	return reason
}

// methods in words (RFC 8176).
var methods = map[string]string{
	"pwd": "password", "otp": "code", "recovery": "recovery code", "hwk": "passkey", "swk": "passkey", "pop": "passkey",
	"fed": "another provider",
}

// provenWords is what somebody proved who did not get in, "" for nothing: whoever
// reads it learns what others know.
func provenWords(amr []string) string {
	if slices.Contains(amr, "pwd") {
		return "with the right password"
	}
	return MethodWords(amr)
}

// MethodWords is how somebody proved who they are, such as "by password and
// code", "" when nothing is known of it.
func MethodWords(amr []string) string {
	words, seen := "", map[string]bool{}
	for _, m := range amr {
		w := methods[m]
		if w == "" || seen[w] || m == "user" || m == "rba" {
			continue
		}
		if seen[w] = true; words == "" {
			words = "by " + w
			continue
		}
		words += " and " + w
	}
	return words
}
