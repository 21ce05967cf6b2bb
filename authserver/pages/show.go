package pages

import (
	"fmt"
	"html/template"
	"strings"
	"unicode"

	"github.com/postern-mcp/postern/authserver/legible"
)

// shown is text of somebody else's as a page may show it: apart from the
// writing direction around it, with a sign where a character shows nothing,
// turns others around, or paints over its neighbours, and beside one that
// imitates another.
func shown(text string) template.HTML { return marked(text, nil, nil) }

// claimed is a name that nobody vouches for: it cannot end the quotation it stands in.
func claimed(text string) template.HTML { return marked(text, quoting([]rune(text)), nil) }

// within is text in a narrow place, such as a cell: an address goes on in the
// next line behind one of its signs, rather than within a word.
func within(text string) template.HTML { return marked(text, nil, breaks([]rune(text), "@./")) }

// prose is text with room, in which an address goes on behind whole names.
func prose(text string) template.HTML { return marked(text, nil, breaks([]rune(text), "/")) }

// breaks says behind which signs, within a word, the next line may begin.
func breaks(text []rune, signs string) []bool {
	at := make([]bool, len(text))
	for i := 1; i < len(text)-1; i++ {
		at[i] = strings.ContainsRune(signs, text[i]) && text[i-1] != ' ' && !strings.ContainsRune(signs+" ", text[i+1])
	}
	return at
}

// marked shows a text, with a sign at what is odd, imitates, or is pointed out
// besides, and a chance to go on in the next line behind some.
func marked(text string, besides, breaks []bool) template.HTML {
	var b strings.Builder
	b.WriteString("<bdi>")
	marks, runes := 0, []rune(text)
	imitation := imitations(runes)
	for i, r := range runes {
		marks = marksSoFar(marks, r)
		switch {
		case !legible.Shows(r) || marks > maxMarks:
			fmt.Fprintf(&b, `<span class="odd">U+%04X</span>`, r)
		case imitation[i] || besides != nil && besides[i]:
			fmt.Fprintf(&b, `<span class="odd">%s U+%04X</span>`, template.HTMLEscapeString(string(r)), r)
		default:
			b.WriteString(template.HTMLEscapeString(string(r)))
		}
		if breaks != nil && breaks[i] {
			b.WriteString("<wbr>")
		}
	}
	b.WriteString("</bdi>")
	return template.HTML(b.String())
}

// bare is a URL as people read it, without its scheme.
func bare(url string) template.HTML {
	_, rest, _ := strings.Cut(url, "://")
	return prose(rest)
}

// maxMarks is how many marks one letter may carry: as many as any writing needs.
const maxMarks = 4

func marksSoFar(before int, r rune) int {
	if unicode.Is(unicode.M, r) {
		return before + 1
	}
	return 0
}
