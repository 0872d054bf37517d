package proof_test

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	source "github.com/redisimnest/redisimnest/nest/internal/operations"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// noOperations are the methods of references that send nothing.
var noOperations = []string{"DeclaredTTL", "Err", "Format", "In", "Key", "String"}

// The proofs cover the methods that the references really have. A kind without a subject, or a
// method that the sources do not show to be an operation, fails this test.
func TestNoOperationIsForgotten(t *testing.T) {
	t.Parallel()
	byType, err := declaredOperations()
	require.NoError(t, err)
	// Locks and limiters have only keys with a lease, and their own tests.
	// What a custom type sends are its user's own commands. Generations have tests of their own.
	types := []string{"Ref", "LockRef", "LimiterRef", "CustomRef", "ClusterDef"}
	s := nesttest.Open(t, root, openOptions(t)...)
	for _, sub := range subjects {
		types = append(types, sub.typ)
		ref := reflect.TypeOf(sub.at(plain.At(s), "x", 0))
		require.Equal(t, sub.typ, strings.TrimPrefix(strings.Split(ref.String(), "[")[0], "nest."))
		want := slices.Clone(noOperations)
		for _, op := range operationsOf(t, sub.typ) {
			want = append(want, op.Name)
		}
		var got []string
		for m := range ref.Methods() {
			got = append(got, m.Name)
		}
		require.ElementsMatch(t, want, got, "the methods of %s", sub.typ)
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(byType)), types)
}

// way is how an operation is run.
type way string

const (
	directly way = "direct"
	inBatch  way = "batch"
	inAtomic way = "atomic"
)

// state is the state of the keys before an operation.
type state string

const (
	fresh    state = "fresh"    // neither the key nor the other one exists
	running  state = "running"  // both exist, with 40 seconds left
	toFresh  state = "to fresh" // the key exists with 40 seconds left, the other one does not
	timeless state = "timeless" // the key exists, and its expiry was removed
)

const runningTTL = 40 * time.Second

// Every operation of every kind is run on keys that are declared with a TTL, and changes their
// expiry as the documentation's table says. Afterwards no key is without an expiry, unless removing
// it is the purpose of the operation. No server knows a script beforehand.
func TestEveryOperationKeepsTheDeclaredTTL(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, root, openOptions(t)...)
	hash := hashOf(t, s)
	for _, cluster := range []*nest.ClusterDef{plain, renewed} {
		for _, sub := range subjects {
			t.Run(cluster.Template()+"/"+sub.typ, func(t *testing.T) {
				t.Parallel()
				p := proving{T: t, subject: sub, scope: cluster.At(s), renews: cluster == renewed, real: nesttest.Shared(t).Has(t, nesttest.Snapshots), db: database{t, nesttest.Client(t)}, caller: caller{hash}}
				for _, op := range operationsOf(t, sub.typ) {
					for _, w := range []way{directly, inBatch, inAtomic} {
						if w != directly && (!op.InBatch || p.renews && w == inBatch) {
							continue
						}
						p.operation(op, w)
					}
				}
				exempt := func(op string) bool {
					return strings.HasPrefix(op, "Persist.") || strings.Contains(op, string(timeless))
				}
				requireExpiries(t, p.db.client, p.scope, exempt)
			})
		}
	}
}

// proving runs the operations of one kind.
type proving struct {
	*testing.T
	subject
	caller
	scope  nest.Scope
	renews bool
	real   bool // not an imitation of a server
	db     database
	n      int
}

// operation runs an operation on keys in every state that makes sense for it.
func (p *proving) operation(op source.Operation, w way) {
	states := []state{fresh}
	if p.fill != nil {
		states = append(states, running)
		if op.Effect == source.Carries || op.Target.Creates() {
			states = append(states, toFresh)
		}
		if op.Effect.Creates() || op.Effect == source.Carries {
			states = append(states, timeless)
		}
	}
	for _, at := range states {
		if !p.real && (op.Name == "Dump" || op.Name == "Restore" || op.Name == "Copy" && at == timeless || strings.HasPrefix(op.Name, "Store") && at == fresh) {
			continue // there they differ from elsewhere
		}
		p.n++
		label := op.Name + "." + string(w) + "." + string(at)
		ref, other := p.at(p.scope, label, p.n), p.at(p.scope, "other."+label, p.n)
		p.prepare(at, ref, other)
		if op.Name == "Restore" && at == fresh && p.fill != nil { // from the value of another key
			p.prepare(toFresh, other, ref)
		}
		p.db.forgetScripts()
		err := p.run(w, op.Name, ref, other)
		if errors.Is(err, nest.ErrUnsupported) {
			if nesttest.Shared(p).Kind() != nesttest.KindEmbedded {
				assert.NotEmpty(p, op.Needs, "%s.%s: %v, and does not say which server it needs", p.typ, label, err)
			}
			continue
		}
		if at == fresh && errors.Is(err, nest.ErrNotFound) || op.Name == "Restore" && p.fill == nil {
			err = nil
		}
		if !assert.NoError(p, err, "%s.%s", p.typ, label) {
			continue
		}
		p.check(op, at, label, ref, other)
	}
}

func (p *proving) prepare(at state, ref, other keyRef) {
	for _, r := range []keyRef{ref, other} {
		if at == fresh || at == toFresh && r == other {
			continue
		}
		require.NoError(p, p.fill(p.Context(), r))
		if at == timeless && r == ref {
			p.db.setTTL(r.Key(), none)
		} else {
			p.db.setTTL(r.Key(), runningTTL)
		}
	}
}

func (p *proving) run(w way, op string, ref, other keyRef) error {
	if w == directly {
		return p.call(p.Context(), p.typ, op, ref, other)
	}
	b := p.scope.Batch()
	if w == inAtomic {
		b = p.scope.Atomic()
	}
	result, err := p.queue(p.Context(), b, p.typ, op, ref, other)
	if err != nil {
		return err
	}
	if err := b.Exec(p.Context()); err != nil {
		return err
	}
	return result()
}

// check compares the expiries after an operation with what its effect promises.
func (p *proving) check(op source.Operation, at state, label string, ref, other keyRef) {
	assert.NotEqual(p, none, p.db.ttl(other.Key()), "%s.%s left its other key without an expiry", p.typ, label)

	restarted := runningTTL
	if p.renews {
		restarted = declaredTTL
	}
	var want time.Duration
	switch {
	case at == fresh && op.Effect.Creates() && !conditional(op.Name) && p.fill != nil:
		want = declaredTTL
	case at == fresh:
		want = gone
	case op.Effect == source.Removes, op.Name == "Rename":
		want = gone
	case op.Effect == source.Ends:
		want = none
	case op.Effect == source.Sets:
		want = setExpiry
	case op.Name == "GetOrLoad" && (at == running || p.renews): // only read
		want = restarted
	case op.Effect == source.Restarts && op.Name != "SetIfAbsent" && op.Name != "GetOrLoad":
		want = declaredTTL
	case at == timeless && op.Effect == source.Starts:
		want = declaredTTL
	case at == timeless:
		want = none // nothing was written
	case op.Effect == source.Renews, op.Effect == source.Changes, op.Effect == source.Starts:
		want = restarted
	default:
		want = runningTTL
	}
	aboutf(p.T, want, p.db.ttl(ref.Key()), "%s.%s", p.typ, label)
	if op.Effect == source.Carries && at != fresh {
		want := runningTTL
		if at == timeless {
			want = declaredTTL
		}
		aboutf(p.T, want, p.db.ttl(other.Key()), "the target of %s.%s", p.typ, label)
	}
}

// aboutf asserts that left is about want.
func aboutf(t *testing.T, want, left time.Duration, format string, args ...any) {
	t.Helper()
	if left > want || left < want-max(0, min(want, 20*time.Second)) {
		t.Errorf(format+": %v left, not about %v", append(args, left, want)...)
	}
}

// conditional reports whether an operation that could create a key leaves a missing key alone, or
// creates nothing from other keys that are missing.
func conditional(op string) bool {
	return strings.HasSuffix(op, "IfPresent") || strings.HasSuffix(op, "IfExists") || strings.HasPrefix(op, "Store")
}

// The options of single writes have their documented effect, on missing keys and on keys with a
// running TTL.
func TestExpiryOptionsOfEveryOperation(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, root, openOptions(t)...)
	c := caller{hashOf(t, s)}
	db := database{t, nesttest.Client(t)}
	for _, sub := range subjects {
		for _, op := range operationsOf(t, sub.typ) {
			if !op.Options {
				continue
			}
			for what, opt := range map[string]struct {
				option         nest.SetOption
				fresh, running time.Duration
			}{
				"KeepTTL":  {nest.KeepTTL(), declaredTTL, runningTTL},
				"ExpireIn": {nest.ExpireIn(time.Hour), time.Hour, time.Hour},
				"NoExpiry": {nest.NoExpiry(), none, none},
			} {
				label := sub.typ + "." + op.Name + "." + what
				absent, there := sub.at(plain.At(s), label, 1), sub.at(plain.At(s), label, 2)
				require.NoError(t, sub.fill(t.Context(), there))
				db.setTTL(there.Key(), runningTTL)
				require.NoError(t, c.call(t.Context(), sub.typ, op.Name, absent, nil, opt.option), label)
				require.NoError(t, c.call(t.Context(), sub.typ, op.Name, there, nil, opt.option), label)
				if op.Name != "SetIfPresent" {
					aboutf(t, opt.fresh, db.ttl(absent.Key()), "%s of a new key", label)
				}
				if op.Name != "SetIfAbsent" {
					aboutf(t, opt.running, db.ttl(there.Key()), "%s of a running key", label)
				}
			}
		}
	}
}

// hashOf returns a hash of the password "x".
func hashOf(t *testing.T, s nest.Scope) string {
	t.Helper()
	r := password.At(plain.At(s), "hash", 0)
	require.NoError(t, r.Set(t.Context(), "x"))
	hash, err := r.Reveal(t.Context())
	require.NoError(t, err)
	return hash
}
