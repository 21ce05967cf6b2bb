package wire

// body is what is left of a message after its header.
type body struct {
	kind   bodyKind
	left   int64 // bytes of the body, or of the chunk, still to come
	step   chunkStep
	digits int
}

type bodyKind byte

const (
	noBody bodyKind = iota
	lengthBody
	chunkedBody
)

// chunkStep is the next thing expected in a chunked body (RFC 9112 §7.1).
type chunkStep byte

const (
	chunkSize chunkStep = iota
	chunkSizeLF
	chunkBytes
	chunkCR
	chunkLF
	lastCR
	lastLF
)

// advance says how much of data is part of the body and good. At the end of
// the body it becomes the zero body.
func (b *body) advance(data []byte) (n int, reason string) {
	if b.kind == lengthBody {
		n := min(b.left, int64(len(data)))
		b.consume(n)
		return int(n), ""
	}
	for n < len(data) && b.kind == chunkedBody {
		if b.step == chunkBytes {
			size := min(b.left, int64(len(data)-n))
			n += int(size)
			if b.left -= size; b.left == 0 {
				b.step = chunkCR
			}
			continue
		}
		if reason := b.framingByte(data[n]); reason != "" {
			return n, reason
		}
		n++
	}
	return n, ""
}

func (b *body) consume(n int64) {
	if b.left -= n; b.left == 0 {
		*b = body{}
	}
}

// framingByte takes one byte between the chunks' contents.
func (b *body) framingByte(c byte) string {
	switch b.step {
	case chunkSize:
		return b.sizeByte(c)
	case chunkSizeLF:
		return b.expect(c, '\n', b.afterSize(), "chunk_line")
	case chunkCR:
		return b.expect(c, '\r', chunkLF, "chunk_end")
	case chunkLF:
		return b.expect(c, '\n', chunkSize, "chunk_end")
	// RFC 9112 §7.1.2: here a trailer section could follow.
	case lastCR:
		return b.expect(c, '\r', lastLF, "trailer")
	default: // lastLF
		if c == '\n' {
			*b = body{}
			return ""
		}
		return "chunk_end"
	}
}

func (b *body) expect(got, want byte, next chunkStep, reason string) string {
	if got != want {
		return reason
	}
	b.step = next
	return ""
}

func (b *body) afterSize() chunkStep {
	b.digits = 0
	if b.left == 0 {
		return lastCR
	}
	return chunkBytes
}

// sizeByte takes hexadecimal digits and then CR: no sign, no white space, no
// extension (RFC 9112 §7.1.1 lets a recipient ignore those; some do not).
func (b *body) sizeByte(c byte) string {
	const maxDigits = 8
	if c == '\r' && b.digits > 0 {
		b.step = chunkSizeLF
		return ""
	}
	if c == ';' {
		return "chunk_extension"
	}
	digit := hexDigit(c)
	if digit < 0 || b.digits == maxDigits {
		return "chunk_size"
	}
	b.left = b.left<<4 | digit
	b.digits++
	return ""
}

func hexDigit(c byte) int64 {
	switch {
	case '0' <= c && c <= '9':
		return int64(c - '0')
	case 'a' <= c && c <= 'f':
		return int64(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int64(c-'A') + 10
	}
	return -1
}
