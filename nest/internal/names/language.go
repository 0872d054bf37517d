package names

import (
	"math/bits"
	"reflect"
	"slices"
)

// The collision proof checks whether two segments can have a text in common. Each segment is a
// regular language over symbols. A symbol is a plain byte or the escape of a byte. A '%' never
// stands for itself, so there is only one way to cut a name into symbols.

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

// disjoint reports whether s and o have no symbol in common.
func (s *symbols) disjoint(o *symbols) bool {
	for i := range s {
		if s[i]&o[i] != 0 {
			return false
		}
	}
	return true
}

// sample returns a symbol that is easy to read in an example.
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

// of returns the set of the symbols that p writes for the given bytes.
func (p *Param) of(text string) (s symbols) {
	for _, c := range []byte(text) {
		if p.escapes.set[c] {
			s.add(256 + int(c))
		} else {
			s.add(int(c))
		}
	}
	return s
}

// anything returns the set of the symbols that p writes for any byte.
func (p *Param) anything() (s symbols) {
	for c := range 256 {
		if p.escapes.set[c] {
			s.add(256 + c)
		} else {
			s.add(c)
		}
	}
	return s
}

// automaton is a nondeterministic finite automaton without empty moves. It starts in state 0.
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

// step adds a state to which the symbols lead from each of the given states.
func (a *automaton) step(from []int, on symbols) int {
	to := a.state()
	for _, f := range from {
		a.moves[f] = append(a.moves[f], move{on, to})
	}
	return to
}

// language returns the automaton of a segment. If open is true, a tail may also be empty, and the
// automaton accepts the whole segments with which a longer name can begin.
func (s segment) language(open bool) *automaton { return s.automaton(open, (*Param).automaton) }

// sampled is like language, but uses only samples for parameters whose texts the proof does not
// know.
func (s segment) sampled() *automaton { return s.automaton(false, (*Param).sampled) }

func (s segment) automaton(open bool, of func(p *Param, a *automaton, from []int) []int) *automaton {
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
		from = of(t.param, a, from)
		if open && t.param.Tail {
			from = append(slices.Clone(before), from...)
		}
	}
	a.accept = from
	return a
}

// automaton appends the language of p's texts. It ignores limits of length and validation
// functions, so the proof errs on the safe side: it may reject keys that could never collide, but
// never accepts keys that can.
func (p *Param) automaton(a *automaton, from []int) []int {
	switch p.Class {
	case BoolClass:
		return p.words(a, from, []string{"true", "false"})
	case IntClass, UintClass:
		ends := []int{a.step(from, p.of("0"))}
		if p.Class == IntClass {
			from = append(slices.Clone(from), a.step(from, p.of("-")))
		}
		at := a.step(from, p.of("123456789"))
		ends = append(ends, at)
		for range decimalDigits(p.Bits) - 1 {
			at = a.step([]int{at}, p.of("0123456789"))
			ends = append(ends, at)
		}
		return ends
	}
	on := p.anything()
	if p.Tail {
		// The comparison is within one segment: a colon in a tail ends the segment.
		on[':'>>6] &^= 1 << (':' & 63)
	}
	at := a.step(from, on)
	a.moves[at] = append(a.moves[at], move{on, at})
	return []int{at}
}

// words appends a few texts of p.
func (p *Param) words(a *automaton, from []int, words []string) []int {
	var ends []int
	for _, word := range words {
		at := from
		for i := range len(word) {
			at = []int{a.step(at, p.of(word[i:i+1]))}
		}
		ends = append(ends, at...)
	}
	return ends
}

// sampled is like automaton if p's texts are known. Otherwise it uses some texts that p accepts.
func (p *Param) sampled(a *automaton, from []int) []int {
	if p.Class != TextClass && p.Validate == nil {
		return p.automaton(a, from)
	}
	return p.words(a, from, p.samples())
}

// samples returns the usual sample texts that p accepts, if any.
func (p *Param) samples() []string {
	usual := []string{"1", "a", "true", "127.0.0.1", "2000-01-01T00:00:00Z"}
	if p.Class == TextClass {
		usual = append(usual, p.zeroText())
	}
	return slices.DeleteFunc(usual, func(text string) bool {
		return !p.accepts(string(appendEscaped(nil, text, p.escapes)))
	})
}

// zeroText returns the text of the zero value of p's type, or "".
func (p *Param) zeroText() (text string) {
	defer func() {
		if recover() != nil { // the type's own method need not expect a zero value
			text = ""
		}
	}()
	b, err := p.textOf(reflect.Zero(p.Type))
	if err != nil {
		return ""
	}
	return string(b)
}

// decimalDigits returns the maximum number of digits of an integer with the given number of bits.
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

// common returns a shortest text that both automata accept.
func common(a, b *automaton) (string, bool) {
	type pair struct{ a, b int }
	type visit struct {
		pair
		from   int // index of the previous visit
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
