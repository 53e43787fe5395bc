package trait

// mark is a place of a name pattern: one byte, or a wildcard.
type mark int16

const (
	anyByte  mark = 256 + iota // exactly one byte
	anyBytes                   // none or more
)

// maxPatterns bounds the ways in which the values of conditions are put into a
// name. Beyond it a placeholder stands for any text, which is on the safe side.
const maxPatterns = 256

// coincide tells whether two rules can yield the same trait name, of whatever
// impressions. A placeholder stands for any text that is not empty or, where
// conditions limit the fact to a few values, for one of these; so "{split}" and
// "x_{split}" coincide (flags "x_a" and "a"), but not where the first wants
// flag a and the second flag b.
func coincide(a, b *rule) bool {
	for _, p := range patterns(a) {
		for _, q := range patterns(b) {
			if intersect(p, q) {
				return true
			}
		}
	}
	return false
}

func patterns(r *rule) [][]mark {
	all := [][]mark{nil}
	for _, part := range r.Name.parts {
		texts := []string{part.text}
		if part.fact != noFact {
			var limited bool
			texts, limited = r.values(part.fact)
			if !limited || len(all)*len(texts) > maxPatterns {
				for i := range all {
					all[i] = append(all[i], anyByte, anyBytes)
				}
				continue
			}
		}
		var longer [][]mark
		for _, head := range all {
			for _, text := range texts {
				longer = append(longer, appendMarks(head[:len(head):len(head)], text))
			}
		}
		all = longer
	}
	return all
}

func appendMarks(dst []mark, text string) []mark {
	for i := range len(text) {
		dst = append(dst, mark(text[i]))
	}
	return dst
}

// intersect tells whether some text fits both patterns. It fills the table of
// "the rest of a from i and the rest of b from j have a text in common" from
// the end, a row at a time.
func intersect(a, b []mark) bool {
	below := make([]bool, len(b)+1)
	row := make([]bool, len(b)+1)
	for i := len(a); i >= 0; i-- {
		for j := len(b); j >= 0; j-- {
			skipA := i < len(a) && a[i] == anyBytes
			skipB := j < len(b) && b[j] == anyBytes
			switch {
			case skipA && (below[j] || j < len(b) && row[j+1]):
				row[j] = true
			case skipB && (row[j+1] || i < len(a) && below[j]):
				row[j] = true
			case skipA || skipB:
				row[j] = false
			case i == len(a) || j == len(b):
				row[j] = i == len(a) && j == len(b)
			default:
				row[j] = (a[i] == b[j] || a[i] == anyByte || b[j] == anyByte) && below[j+1]
			}
		}
		below, row = row, below
	}
	return below[0]
}
