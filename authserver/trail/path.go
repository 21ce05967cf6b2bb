package trail

import "strings"

// longestName is above every id that is made here, and below every secret: those
// have 43 characters of randomness, and tokens are longer.
const longestName = 40

// Path is a path for a line: segments that are long enough to be a secret in the
// wrong place, or a link that opens something, are left out.
func Path(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if len(s) >= longestName {
			segments[i] = "…"
		}
	}
	return strings.Join(segments, "/")
}
