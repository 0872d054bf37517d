package codec

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// The JSON of Python's json module: ASCII only when written, NaN and infinities, integers of any
// size, and lone surrogates. Go strings hold a lone surrogate as the three bytes that UTF-8 would
// have for it.

// maxDepth bounds the nesting of values that are read or written. Python's default limit on
// recursion stops its json module at about the same depth.
const maxDepth = 1000

type nodeKind uint8

const (
	nodeNull nodeKind = iota
	nodeBool
	nodeInt
	nodeFloat
	nodeString
	nodeList
	nodeDict
)

// node is a JSON value and the place where it begins.
type node struct {
	kind   nodeKind
	offset int
	text   string // of a string; of a number as written; "true" or "false"
	*inside
}

// inside is the content of a list or dict.
type inside struct {
	items []node // of a list; the values of a dict
	keys  []string
}

// index returns the position of key in a dict, or -1.
func (in *inside) index(key string) int { return slices.Index(in.keys, key) }

// badNode returns an error that names the place of n and quotes nothing.
func badNode(n node, reason string) error {
	return fmt.Errorf("at offset %d: %s", n.offset, reason)
}

// parser reads one JSON value. After the first error it only needs to return.
type parser struct {
	data  string
	at    int
	depth int
	items []node   // of the lists and dicts being read, the inner ones last
	keys  []string // of the dicts
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

// keptNodes is how many nodes of room a parser may keep.
const keptNodes = 1 << 10

func parse(data string) (node, error) {
	p := parsers.Get().(*parser)
	p.data = data
	n, err := p.whole()
	if cap(p.items) <= keptNodes && cap(p.keys) <= keptNodes {
		clear(p.items) // left over from an error
		clear(p.keys)
		*p = parser{items: p.items[:0], keys: p.keys[:0]}
		parsers.Put(p)
	}
	return n, err
}

func (p *parser) whole() (node, error) {
	p.space()
	n, err := p.value()
	if err != nil {
		return node{}, err
	}
	p.space()
	if p.at < len(p.data) {
		return node{}, p.bad("data after the value")
	}
	return n, nil
}

func (p *parser) bad(reason string) error { return badNode(node{offset: p.at}, reason) }

func (p *parser) space() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// peek returns the next byte, or 0 at the end, where no value continues.
func (p *parser) peek() byte {
	if p.at < len(p.data) {
		return p.data[p.at]
	}
	return 0
}

func (p *parser) value() (node, error) {
	n := node{offset: p.at}
	switch c := p.peek(); {
	case c == '"':
		text, err := p.str()
		n.kind, n.text = nodeString, text
		return n, err
	case c >= '0' && c <= '9':
		return p.number(n)
	case c == '[' || c == '{':
		if p.depth == maxDepth {
			return n, p.bad("nested too deeply")
		}
		p.depth++
		err := p.container(&n, c)
		p.depth--
		return n, err
	case p.literal("null"):
		return n, nil
	case p.literal("true"), p.literal("false"):
		n.kind, n.text = nodeBool, p.data[n.offset:p.at]
		return n, nil
	case p.literal("NaN"), p.literal("Infinity"), p.literal("-Infinity"):
		n.kind, n.text = nodeFloat, p.data[n.offset:p.at]
		return n, nil
	}
	return p.number(n)
}

func (p *parser) literal(word string) bool {
	if len(p.data)-p.at < len(word) || p.data[p.at:p.at+len(word)] != word {
		return false
	}
	p.at += len(word)
	return true
}

func (p *parser) number(n node) (node, error) {
	end := p.at
	n.kind = nodeInt
scan:
	for ; end < len(p.data); end++ {
		switch c := p.data[end]; c {
		case '.', 'e', 'E':
			n.kind = nodeFloat
		case '+', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		default:
			break scan
		}
	}
	n.text = p.data[p.at:end]
	if _, ok := cutNumber(n.text); !ok {
		return n, p.bad("not a JSON value")
	}
	p.at = end
	return n, nil
}

// container reads a list or dict, which begins with the given bracket, into n.
func (p *parser) container(n *node, open byte) error {
	n.kind = nodeList
	if open == '{' {
		n.kind = nodeDict
	}
	items, keys := len(p.items), len(p.keys)
	if err := p.elements(n.kind, open+2); err != nil { // in ASCII ] is two after [, and } after {
		return err
	}
	n.inside = &inside{items: slices.Clone(p.items[items:]), keys: slices.Clone(p.keys[keys:])}
	clear(p.items[items:])
	clear(p.keys[keys:])
	p.items, p.keys = p.items[:items], p.keys[:keys]
	if twice(n.keys) {
		return badNode(*n, "a key that comes twice, of which one value would be lost")
	}
	return nil
}

// key reads the key of a dict, with its colon.
func (p *parser) key() error {
	if p.peek() != '"' {
		return p.bad("a key has to be a string")
	}
	key, err := p.str()
	if err != nil {
		return err
	}
	p.space()
	if p.peek() != ':' {
		return p.bad("a colon is missing")
	}
	p.at++
	p.space()
	p.keys = append(p.keys, key)
	return nil
}

// twice reports whether a key occurs twice. A few keys are compared one by one, which is faster.
func twice(keys []string) bool {
	if len(keys) <= 16 {
		for i, key := range keys {
			if slices.Contains(keys[:i], key) {
				return true
			}
		}
		return false
	}
	seen := make(map[string]bool, len(keys))
	for _, key := range keys {
		seen[key] = true
	}
	return len(seen) < len(keys)
}

// elements reads what is between the brackets of a list or dict.
func (p *parser) elements(of nodeKind, end byte) error {
	p.at++
	p.space()
	if p.peek() == end {
		p.at++
		return nil
	}
	for {
		if of == nodeDict {
			if err := p.key(); err != nil {
				return err
			}
		}
		item, err := p.value()
		if err != nil {
			return err
		}
		p.items = append(p.items, item)
		p.space()
		switch p.peek() {
		case ',':
			p.at++
			p.space()
		case end:
			p.at++
			return nil
		default:
			return p.bad("the list or dict does not go on")
		}
	}
}

// str reads a string; p.at is at its opening quote.
func (p *parser) str() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.data) && p.data[p.at] != '"' && p.data[p.at] != '\\' && p.data[p.at] >= ' ' && p.data[p.at] < utf8.RuneSelf {
		p.at++
	}
	if p.peek() == '"' {
		p.at++
		return p.data[start : p.at-1], nil
	}
	out := []byte(p.data[start:p.at])
	for {
		switch c := p.peek(); {
		case p.at == len(p.data):
			return "", p.bad("the string does not end")
		case c == '"':
			p.at++
			return string(out), nil
		case c == '\\':
			var err error
			if out, err = p.escape(out); err != nil {
				return "", err
			}
		case c < ' ':
			return "", p.bad("a control character in a string")
		default:
			r, size := utf8.DecodeRuneInString(p.data[p.at:])
			if r == utf8.RuneError && size <= 1 {
				return "", p.bad("not UTF-8")
			}
			out = append(out, p.data[p.at:p.at+size]...)
			p.at += size
		}
	}
}

func (p *parser) escape(out []byte) ([]byte, error) {
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	p.at++
	c := p.peek()
	for i := range len(from) {
		if c == from[i] {
			p.at++
			return append(out, to[i]), nil
		}
	}
	r, ok := p.unit()
	if !ok {
		return nil, p.bad("an escape that JSON does not have")
	}
	if utf16.IsSurrogate(r) {
		after := *p
		if after.literal(`\`) {
			if low, ok := after.unit(); ok {
				if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
					p.at = after.at
					return utf8.AppendRune(out, pair), nil
				}
			}
		}
		return appendSurrogate(out, r), nil
	}
	return utf8.AppendRune(out, r), nil
}

// unit reads the uXXXX of an escape.
func (p *parser) unit() (rune, bool) {
	if len(p.data)-p.at < 5 || p.data[p.at] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(p.data[p.at+1:p.at+5], 16, 16)
	if err != nil {
		return 0, false
	}
	p.at += 5
	return rune(n), true
}
