package nest

import (
	"math/bits"
	"slices"
)

// The collision proof asks whether two segments can have a text in common. Each segment is a
// regular language over symbols: a plain byte, or the escape of a byte. A '%' never stands for
// itself, so every name is cut into symbols in one way only.

// symbols is a set of plain bytes (0–255) and escaped bytes (256–511).
type symbols [8]uint64

func (s *symbols) add(c int) { s[c>>6] |= 1 << (c & 63) }

func (s symbols) and(o symbols) (both symbols, meet bool) {
	for i := range s {
		both[i] = s[i] & o[i]
		meet = meet || both[i] != 0
	}
	return both, meet
}

// sample picks a symbol that reads well in an example.
func (s symbols) sample() int {
	for _, c := range "a1x0b2-_.true" {
		if s[c>>6]>>(c&63)&1 == 1 {
			return int(c)
		}
	}
	for i, word := range s {
		if word != 0 {
			return i<<6 + bits.TrailingZeros64(word)
		}
	}
	return -1
}

// of gives the set of the symbols that p writes for the given bytes.
func (p *param) of(text string) (s symbols) {
	for _, c := range []byte(text) {
		if p.escapes.set[c] {
			s.add(256 + int(c))
		} else {
			s.add(int(c))
		}
	}
	return s
}

// anything gives the symbols that p writes for any byte.
func (p *param) anything() (s symbols) {
	for c := range 256 {
		if p.escapes.set[c] {
			s.add(256 + c)
		} else {
			s.add(c)
		}
	}
	return s
}

// automaton is a nondeterministic finite automaton without empty moves. State 0 is its start.
type automaton struct {
	moves  [][]move
	accept []int // the states in which a text may end
}

type move struct {
	on symbols
	to int
}

func (a *automaton) state() int {
	a.moves = append(a.moves, nil)
	return len(a.moves) - 1
}

// step makes a new state that the symbols lead to from each of the states.
func (a *automaton) step(from []int, on symbols) int {
	to := a.state()
	for _, f := range from {
		a.moves[f] = append(a.moves[f], move{on, to})
	}
	return to
}

// language builds the automaton of a segment. With open, a tail may also be empty, and the
// automaton tells which whole segments a name that goes on can begin with.
func (s segment) language(open bool) *automaton {
	a := &automaton{}
	from := []int{a.state()}
	for _, t := range s.tokens {
		if t.param == nil {
			for i := range len(t.literal) {
				var on symbols
				on.add(int(t.literal[i]))
				from = []int{a.step(from, on)}
			}
			continue
		}
		before := from
		from = t.param.automaton(a, from)
		if open && t.param.tail {
			from = append(slices.Clone(before), from...)
		}
	}
	a.accept = from
	return a
}

// automaton appends the language of p's texts. Limits of length and validation functions are
// left out, so the proof errs on the safe side: it may refuse what could never clash, and never
// lets a clash through.
func (p *param) automaton(a *automaton, from []int) []int {
	switch p.class {
	case boolClass:
		var ends []int
		for _, word := range []string{"true", "false"} {
			at := from
			for i := range len(word) {
				at = []int{a.step(at, p.of(word[i:i+1]))}
			}
			ends = append(ends, at...)
		}
		return ends
	case intClass, uintClass:
		ends := []int{a.step(from, p.of("0"))}
		if p.class == intClass {
			from = append(slices.Clone(from), a.step(from, p.of("-")))
		}
		at := a.step(from, p.of("123456789"))
		ends = append(ends, at)
		for range decimalDigits(p.bits) - 1 {
			at = a.step([]int{at}, p.of("0123456789"))
			ends = append(ends, at)
		}
		return ends
	}
	on := p.anything()
	if p.tail {
		// Compared within one segment: the colons of a tail end the segment.
		on[':'>>6] &^= 1 << (':' & 63)
	}
	at := a.step(from, on)
	a.moves[at] = append(a.moves[at], move{on, at})
	return []int{at}
}

// decimalDigits is how many digits an integer of so many bits can have.
func decimalDigits(size int) int {
	switch size {
	case 8:
		return 3
	case 16:
		return 5
	case 32:
		return 10
	}
	return 20
}

// common gives a shortest text that both automata accept.
func common(a, b *automaton) (string, bool) {
	type pair struct{ a, b int }
	type visit struct {
		pair
		from   int // index of the visit before
		symbol int
	}
	visits := []visit{{from: -1}}
	seen := map[pair]bool{{}: true}
	for i := 0; i < len(visits); i++ {
		at := visits[i].pair
		if slices.Contains(a.accept, at.a) && slices.Contains(b.accept, at.b) {
			var text []byte
			for ; visits[i].from >= 0; i = visits[i].from {
				if c := visits[i].symbol; c < 256 {
					text = append(text, byte(c))
				} else {
					c -= 256
					text = append(text, upperHex[c&15], upperHex[c>>4], '%')
				}
			}
			slices.Reverse(text)
			return string(text), true
		}
		for _, ma := range a.moves[at.a] {
			for _, mb := range b.moves[at.b] {
				next := pair{ma.to, mb.to}
				if both, ok := ma.on.and(mb.on); ok && !seen[next] {
					seen[next] = true
					visits = append(visits, visit{next, i, both.sample()})
				}
			}
		}
	}
	return "", false
}
