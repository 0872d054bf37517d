package audit

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits that keep the memory of the shapes bounded, however many names there are.
const (
	maxShapes = 200 // leaves of the tree of shapes
	maxFan    = 24  // different words in one place, before they become <name>
	maxDepth  = 8   // segments, the prefix of the scope being one, before the rest becomes <...>
	maxWord   = 40  // bytes of a word, before it becomes <text>
)

const (
	anyWord = "<name>"
	anyRest = "<...>"
)

// placeholders are what shapeOf writes in the place of a whole segment.
var placeholders = map[string]bool{
	"<n>": true, "<uuid>": true, "<hex>": true, "<id>": true, "<date>": true, "<email>": true, "<text>": true, "<binary>": true,
	anyWord: true, anyRest: true,
}

// segments returns the shape of a name, segment by segment. The prefix of the scope stays as it is,
// and is one segment.
func segments(name, prefix string) []string {
	path := split(name, prefix)
	for i, part := range path {
		if i > 0 || part != prefix {
			path[i] = shapeOf(part)
		}
	}
	return path
}

// split returns the segments of a name, or of a shape.
func split(name, prefix string) []string {
	if rest, ok := strings.CutPrefix(name, prefix+":"); ok && prefix != "" {
		return append([]string{prefix}, strings.Split(rest, ":")...)
	}
	return strings.Split(name, ":")
}

// shapeOf returns the shape of a segment.
func shapeOf(s string) string {
	switch {
	case !text(s):
		return "<binary>"
	case isUUID(s):
		return "<uuid>"
	case isDate(s):
		return "<date>"
	case isEmail(s):
		return "<email>"
	}
	var b strings.Builder
	for s != "" {
		n := run(s)
		if n == 0 {
			_, n = utf8.DecodeRuneInString(s)
			if s[0] == '%' && len(s) >= 3 { // an escaped byte
				n = 3
			}
			b.WriteString(s[:n])
		} else {
			b.WriteString(word(s[:n]))
		}
		s = s[n:]
	}
	if b.Len() > maxWord {
		return "<text>"
	}
	return b.String()
}

// text reports whether a segment can be shown.
func text(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// run returns how many letters and digits the text begins with.
func run(s string) int {
	for i, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return i
		}
	}
	return len(s)
}

// word returns the shape of some letters and digits.
func word(s string) string {
	digits, letters, hex, cases := 0, 0, true, [2]bool{}
	for _, r := range s {
		switch {
		case unicode.IsDigit(r):
			digits++
			continue
		case unicode.IsUpper(r):
			cases[0] = true
		case unicode.IsLower(r):
			cases[1] = true
		}
		letters++
		hex = hex && strings.ContainsRune("abcdefABCDEF", r)
	}
	switch {
	case letters == 0:
		return "<n>"
	case digits == 0 && !(cases[0] && cases[1] && len(s) >= 20):
		return s
	case hex && len(s) >= 7:
		return "<hex>"
	case len(s) >= 12 && digits >= 2, len(s) >= 20:
		return "<id>"
	}
	return withoutDigits(s) // as in "v2" or "user42"
}

// withoutDigits replaces each run of digits.
func withoutDigits(s string) string {
	var b strings.Builder
	in := false
	for _, r := range s {
		if unicode.IsDigit(r) {
			if !in {
				b.WriteString("<n>")
			}
			in = true
			continue
		}
		in = false
		b.WriteRune(r)
	}
	return b.String()
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !isHex(s[i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// isDate reports whether a segment is a day, as 2006-01-02.
func isDate(s string) bool {
	if len(s) != 10 {
		return false
	}
	for i := range len(s) {
		if dash := i == 4 || i == 7; dash != (s[i] == '-') || !dash && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

func isEmail(s string) bool {
	before, after, ok := strings.Cut(s, "@")
	return ok && before != "" && strings.Contains(after, ".")
}

// shapes are the shapes of names, as a tree of segments. Where too many different words stand in
// one place, they become one.
type shapes struct {
	most   int // examples, and largest keys, of each
	fan    int
	depth  int
	leaves int
	root   *shapeNode
}

type shapeNode struct {
	next  map[string]*shapeNode
	words int // in next that are no placeholders
	leaf  *group
}

// group is what was counted of the names of one shape.
type group struct {
	*tally
	examples []string
}

func newShapes(most int) *shapes {
	return &shapes{most: most, fan: maxFan, depth: maxDepth, root: &shapeNode{}}
}

// group returns the group of the names of a shape.
func (s *shapes) group(path []string) *group {
	for {
		if g := s.at(path); g != nil {
			return g
		}
		s.coarsen()
	}
}

// at returns the group of a shape, or nil if there are too many.
func (s *shapes) at(path []string) *group {
	n := s.root
	for i, part := range path {
		if i == s.depth {
			n = n.child(anyRest)
			break
		}
		n = s.step(n, part)
	}
	if n.leaf == nil {
		if s.leaves == maxShapes {
			return nil
		}
		s.leaves++
		n.leaf = &group{tally: newTally()}
	}
	return n.leaf
}

// step returns the node of the next segment.
func (s *shapes) step(n *shapeNode, part string) *shapeNode {
	if n.next[part] != nil || placeholders[part] {
		return n.child(part)
	}
	if n.next[anyWord] != nil {
		return n.next[anyWord]
	}
	if n.words == s.fan {
		s.unite(n)
		return n.next[anyWord]
	}
	return n.child(part)
}

func (n *shapeNode) child(part string) *shapeNode {
	c := n.next[part]
	if c == nil {
		if n.next == nil {
			n.next = make(map[string]*shapeNode)
		}
		c = &shapeNode{}
		n.next[part] = c
		if !placeholders[part] {
			n.words++
		}
	}
	return c
}

// unite makes one of all words below a node.
func (s *shapes) unite(n *shapeNode) {
	whole := n.child(anyWord)
	for part, c := range n.next {
		if !placeholders[part] {
			delete(n.next, part)
			s.join(whole, c)
		}
	}
	n.words = 0
}

// join moves what is at and below a node to another one.
func (s *shapes) join(to, from *shapeNode) {
	switch {
	case from.leaf == nil:
	case to.leaf == nil:
		to.leaf = from.leaf
	default:
		to.leaf.join(from.leaf, s.most)
		s.leaves--
	}
	for part, c := range from.next {
		s.join(s.step(to, part), c)
	}
}

func (g *group) join(other *group, most int) {
	g.merge(other.tally, most)
	g.examples = append(g.examples, other.examples...)
	g.examples = g.examples[:min(len(g.examples), most)]
}

// coarsen makes fewer shapes.
func (s *shapes) coarsen() {
	if s.fan > 1 {
		s.fan /= 2
	} else {
		s.depth--
	}
	before := s.all()
	s.root, s.leaves = &shapeNode{}, 0
	for _, f := range before {
		// There were at most maxShapes groups, and they do not become more.
		s.at(f.path).join(f.group, s.most)
	}
}

// found is a group with its shape.
type found struct {
	path []string
	*group
}

func (f found) shape() string { return strings.Join(f.path, ":") }

// all returns the groups, those with the most keys first.
func (s *shapes) all() []found {
	var list []found
	var visit func(n *shapeNode, path []string)
	visit = func(n *shapeNode, path []string) {
		if n.leaf != nil {
			list = append(list, found{slices.Clone(path), n.leaf})
		}
		for part, c := range n.next {
			visit(c, append(path, part))
		}
	}
	visit(s.root, nil)
	slices.SortFunc(list, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.keys, a.keys), cmp.Compare(a.shape(), b.shape()))
	})
	return list
}
