package operations

import (
	"errors"
	"fmt"
	"go/ast"
	"go/types"
	"slices"
	"strings"
)

// Effect is what an operation does to the expiry of its key. Of two that an operation comes to,
// the later one counts.
type Effect uint8

// The effects, and the words of their directives.
const (
	unknown  Effect = iota
	Keeps           // keeps: nothing, whatever is declared
	Renews          // renews: a read, which restarts it where AutoRenew is declared
	Changes         // changes: a write that creates no key; AutoRenew restarts it
	Removes         // removes: the key is gone afterwards, if the operation does anything
	Starts          // starts: a new key gets it, a running one goes on; AutoRenew restarts it
	Restarts        // restarts: whatever is written gets a new one
	Carries         // carries: what is left goes along to another key
	Sets            // sets: the caller says which one
	Ends            // ends: the caller takes it away
	Free            // free: whatever the caller's own command does
)

var directives = map[string]Effect{
	"keeps": Keeps, "renews": Renews, "changes": Changes, "removes": Removes, "starts": Starts,
	"restarts": Restarts, "carries": Carries, "sets": Sets, "ends": Ends, "free": Free,
}

func (e Effect) String() string {
	for word, effect := range directives {
		if e == effect {
			return word
		}
	}
	return "unknown"
}

// Creates tells whether the operation may make a key out of nothing.
func (e Effect) Creates() bool { return e == Starts || e == Restarts }

const directivePrefix = "//nest:ttl "

// directive gives what is said above a function about the expiry.
func directive(doc *ast.CommentGroup) (Effect, bool, error) {
	if doc == nil {
		return unknown, false, nil
	}
	for _, c := range doc.List {
		if word, ok := strings.CutPrefix(c.Text, directivePrefix); ok {
			effect, ok := directives[word]
			if !ok {
				return unknown, false, fmt.Errorf("the directive names no effect: %q", word)
			}
			return effect, true, nil
		}
	}
	return unknown, false, nil
}

// builder is the method of Ref through which every command is built; usesOf says what a command
// does to each of several keys.
const (
	builder = "b"
	usesOf  = "usesOf"
)

// runners send commands that were built elsewhere. What they send beside those is not followed.
var runners = map[string]bool{"call": true, "run": true, "send": true}

// modes are the effects of the modes that usesOf is given, on the reference's own key.
var modes = map[string]Effect{"reads": Renews, "changes": Changes, "creates": Starts, "overwrites": Restarts}

var errUndirected = errors.New("builds a command without a " + strings.TrimSpace(directivePrefix) + " directive on the way")

// effectOf follows a function to the directives that it comes to, and gives the effect on the
// reference's own key and the one on a target.
func (s *source) effectOf(from types.Object) (effect, target Effect, err error) {
	seen := map[types.Object]bool{}
	var follow func(obj types.Object) error
	follow = func(obj types.Object) error {
		if fn, ok := obj.(*types.Func); ok {
			obj = fn.Origin()
		}
		d := s.bodies[obj]
		if d == nil || seen[obj] || runners[obj.Name()] {
			return nil
		}
		seen[obj] = true
		if e, ok := s.effects[obj]; ok {
			effect = max(effect, e)
			return nil
		}
		if own, other, ok := modesIn(d); ok {
			effect, target = max(effect, own), max(target, other)
			return nil
		}
		var failed error
		ast.Inspect(d.Body, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok || failed != nil {
				return failed == nil
			}
			used := s.info.Uses[id]
			if fn, ok := used.(*types.Func); ok && fn.Name() == builder && fn.Signature().Recv() != nil {
				failed = fmt.Errorf("%s: %s %w", s.fset.Position(d.Pos()), d.Name.Name, errUndirected)
				return false
			}
			failed = follow(used)
			return failed == nil
		})
		return failed
	}
	if err := follow(from); err != nil {
		return unknown, unknown, err
	}
	if effect == unknown {
		return unknown, unknown, errors.New("builds no command that could be found")
	}
	return effect, target, nil
}

// modesIn gives what a function that calls usesOf says about the reference's own key, and about
// the others if it writes them.
func modesIn(d *ast.FuncDecl) (effect, target Effect, found bool) {
	ast.Inspect(d.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 4 {
			return !found
		}
		if fn, ok := call.Fun.(*ast.Ident); ok && fn.Name == usesOf {
			effect, found = modes[types.ExprString(call.Args[1])]
			if target = modes[types.ExprString(call.Args[3])]; target == Renews {
				target = unknown
			}
		}
		return !found
	})
	return effect, target, found
}

// Effects are all effects, in their order.
func Effects() []Effect {
	all := make([]Effect, 0, len(directives))
	for _, e := range directives {
		all = append(all, e)
	}
	slices.Sort(all)
	return all
}
