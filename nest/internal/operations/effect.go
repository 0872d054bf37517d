package operations

import (
	"errors"
	"fmt"
	"go/ast"
	"go/types"
	"slices"
	"strings"
)

// Effect is what an operation does to the expiry of its key. If an operation reaches two effects,
// the later one in the list below counts.
type Effect uint8

// The effects, and the words of their directives.
const (
	unknown  Effect = iota
	Keeps           // keeps: the expiry stays, whatever is declared
	Renews          // renews: a read, which restarts the expiry if AutoRenew is declared
	Changes         // changes: a write that creates no key; AutoRenew restarts the expiry
	Removes         // removes: the key is gone afterwards, if the operation does anything
	Starts          // starts: a new key gets an expiry, an old one continues; AutoRenew restarts it
	Restarts        // restarts: whatever is written gets a new expiry
	Carries         // carries: the remaining time goes along to another key
	Sets            // sets: the caller says which expiry
	Ends            // ends: the caller removes the expiry
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

// Creates reports whether the operation may create a key.
func (e Effect) Creates() bool { return e == Starts || e == Restarts }

const directivePrefix = "//nest:ttl "

// directive returns the directive about the expiry in the comment of a function.
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

// builder is the method of Ref that builds every command; usesOf states what a command does to each
// of several keys.
const (
	builder = "b"
	usesOf  = "usesOf"
)

// runners send commands that were built elsewhere, or move a key from a former name before that.
// They are not followed further.
var runners = map[string]bool{
	"call": true, "run": true, "send": true, "deliver": true, "untilMoved": true, "moved": true, "moveAll": true, "reseatAll": true,
	"exchangeMoving": true, "sendMoving": true, "carry": true, "carryAll": true, "endFarLoads": true,
}

// modes are the effects on the reference's own key of the modes passed to usesOf.
var modes = map[string]Effect{"reads": Renews, "changes": Changes, "creates": Starts, "overwrites": Restarts}

var errUndirected = errors.New("builds a command without a " + strings.TrimSpace(directivePrefix) + " directive on the way")

// effectOf follows a function to the directives that it reaches, and returns the effect on the
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

// modesIn returns what a function that calls usesOf states about the reference's own key, and about
// the other keys if it writes them.
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

// Effects returns all effects in order.
func Effects() []Effect {
	all := make([]Effect, 0, len(directives))
	for _, e := range directives {
		all = append(all, e)
	}
	slices.Sort(all)
	return all
}
