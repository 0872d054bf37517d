package proof_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	source "github.com/redisimnest/redisimnest/nest/internal/operations"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// A key of another Redis type is never mistaken for an empty one. It is never changed, except by
// operations that replace or delete it whole.
func TestEveryOperationRefusesAnotherType(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.Snapshots) // an imitation answers some commands twice
	s := nesttest.Open(t, root, openOptions(t)...)
	hash := hashOf(t, s)
	db := database{t, nesttest.Client(t)}
	byType, err := declaredOperations()
	require.NoError(t, err)
	for _, cluster := range []*nest.ClusterDef{plain, renewed} {
		for _, sub := range subjects {
			if sub.fill == nil {
				continue
			}
			for n, op := range byType[sub.typ] {
				ref, other := sub.at(cluster.At(s), "other type", 2*n), sub.at(cluster.At(s), "other type", 2*n+1)
				holds := []string{"RPUSH", ref.Key(), "foreign"}
				if sub.typ == "ListRef" {
					holds = []string{"SADD", ref.Key(), "foreign"}
				}
				require.NoError(t, db.do(holds...).Error())
				require.NoError(t, sub.fill(t.Context(), other))
				before := db.dump(ref.Key())
				err := caller{hash}.call(t.Context(), sub.typ, op.Name, ref, other)
				label := sub.typ + "." + op.Name
				if op.Effect == source.Restarts || op.Effect == source.Carries { // of any type
					if err != nil {
						assertAny(t, err, label, nest.ErrWrongType, nest.ErrUnsupported)
					}
					continue
				}
				if !assertAny(t, err, label, nest.ErrWrongType, nest.ErrUnsupported) {
					continue
				}
				assert.Equal(t, before, db.dump(ref.Key()), "%s changed the stored value", label)
			}
		}
	}
}

func assertAny(t *testing.T, err error, label string, kinds ...error) bool {
	t.Helper()
	if slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(err, kind) }) {
		return true
	}
	return assert.Fail(t, "not refused", "%s: %v", label, err)
}

// dump returns everything that a key contains, for the types that the tests store.
func (d database) dump(key string) []string {
	d.t.Helper()
	for _, read := range [][]string{{"LRANGE", key, "0", "-1"}, {"SMEMBERS", key}} {
		if all, err := d.do(read...).AsStrSlice(); err == nil {
			return all
		}
	}
	return nil
}

// withoutOthers are the operations that have an effect even without other keys, or without
// arguments of a command.
var withoutOthers = []string{"CountUnion", "Diff", "Do", "Inter", "InterLen", "Union"}

// Operations on any number of things do nothing when they get none. The client is closed, so
// anything that they sent would be an error.
func TestNoOperationSendsEmptyLists(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	client, err := newClient(server)
	require.NoError(t, err)
	s, err := nest.Open(client, root, append(openOptions(t), nest.WithPrefix("closed"))...)
	require.NoError(t, err)
	client.Close()
	tried := 0
	for _, sub := range subjects {
		for _, op := range operationsOf(t, sub.typ) {
			ref := sub.at(plain.At(s), "empty", 0)
			m := reflect.ValueOf(ref).MethodByName(op.Name)
			args, empty := emptyArguments(m.Type(), ref)
			if !empty || slices.Contains(withoutOthers, op.Name) {
				continue
			}
			tried++
			results := m.Call(append([]reflect.Value{reflect.ValueOf(t.Context())}, args...))
			assert.NoError(t, asError(results[len(results)-1]), "%s.%s", sub.typ, op.Name)
			for _, r := range results[:len(results)-1] {
				assert.True(t, r.IsZero() || r.Kind() == reflect.Slice && r.Len() == 0, "%s.%s returned %v", sub.typ, op.Name, r)
			}
		}
	}
	require.Greater(t, tried, 30)
}

// emptyArguments returns the arguments of an operation that takes a list of things, with an empty
// list. empty reports whether it is such an operation.
func emptyArguments(m reflect.Type, ref keyRef) (args []reflect.Value, empty bool) {
	for i := 1; i < m.NumIn(); i++ {
		param := m.In(i)
		last := m.IsVariadic() && i == m.NumIn()-1
		switch {
		case last && strings.HasSuffix(param.Elem().Name(), "Option"):
			return args, empty
		case last:
			return args, true
		case param.Kind() == reflect.Map, param.Kind() == reflect.Slice && param.Elem().Kind() != reflect.Uint8:
			empty = true
			args = append(args, reflect.Zero(param))
		default:
			v, err := caller{}.argument("", param, ref)
			if err != nil {
				return nil, false
			}
			args = append(args, v)
		}
	}
	return args, empty
}

// No operation panics on a reference without a key, on one with an error, without a context or with
// a context that has ended. Each reports the error, and an iterator reports it once.
func TestEveryOperationRefusesBadReferences(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, root, openOptions(t)...)
	c := caller{hashOf(t, s)}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, sub := range subjects {
		for _, op := range operationsOf(t, sub.typ) {
			good := sub.at(plain.At(s), "bad", 1)
			zero := reflect.Zero(reflect.TypeOf(good)).Interface().(keyRef)
			bad := sub.at(plain.At(s), "", 1)
			label := sub.typ + "." + op.Name
			assertAny(t, c.call(t.Context(), sub.typ, op.Name, zero, good), label+" of the zero reference", nest.ErrNoClient)
			assertAny(t, c.call(t.Context(), sub.typ, op.Name, bad, good), label+" of a bad reference", nest.ErrParamValue)
			if slices.Contains([]string{"Consume", "Follow", "Subscribe"}, op.Name) {
				continue // they end with the context, and have no other end
			}
			assertAny(t, c.call(nil, sub.typ, op.Name, good, good), label+" without a context", nest.ErrArgument) //nolint:staticcheck // on purpose
			err := c.call(ended, sub.typ, op.Name, good, good)
			assertAny(t, err, label+" after the end", context.Canceled, nest.ErrArgument)
			if e := (*nest.Error)(nil); assert.ErrorAs(t, err, &e, label) {
				assert.NotContains(t, err.Error(), "panic", label)
			}
		}
	}
}
