package clientdoc

import (
	"strings"
	"unicode"

	"github.com/postern-mcp/postern/authserver/legible"
)

// maxMarks is how many marks one letter may carry: as many as any writing
// needs, and too few to paint over the line above.
const maxMarks = 4

// Plain refuses what could disguise a name where people read it: control and
// format characters, such as those that turn the writing around; characters
// that show nothing; heaps of marks; and spaces other than the common one. It
// does not tell letters that look alike: a name is never proof of anything.
func Plain(name string) bool {
	if strings.TrimSpace(name) != name {
		return false
	}
	marks := 0
	for _, r := range name {
		if !legible.Shows(r) {
			return false
		}
		if !unicode.Is(unicode.M, r) {
			marks = 0
			continue
		}
		if marks++; marks > maxMarks {
			return false
		}
	}
	return true
}
