package codectest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/gob"
)

func TestAuto(t *testing.T)   { Run(t, codec.Auto) }
func TestJSON(t *testing.T)   { Run(t, codec.JSON) }
func TestGob(t *testing.T)    { Run(t, gob.Codec, NilIsEmpty(), Unordered(), Allocs(1000)) }
func TestText(t *testing.T)   { Run(t, codec.Text) }
func TestRaw(t *testing.T)    { Run(t, codec.Raw) }
func TestTagged(t *testing.T) { Run(t, codec.Tagged, Microseconds(), Allocs(100)) }

func TestVersioned(t *testing.T) {
	Run(t, codec.Versioned(codec.JSON, gob.Codec))
	Run(t, codec.Versioned(codec.JSON, codec.Unversioned(codec.Auto)))
	Run(t, codec.Versioned(codec.Upcoming(gob.Codec), codec.Unversioned(codec.JSON)))
}

func TestValuesOfOnesOwn(t *testing.T) {
	type money struct{ Amount, Scale int }
	equal := func(a, b money) bool { return a.Amount*b.Scale == b.Amount*a.Scale }
	k := newKit(codec.JSON, []Option{Values(equal, money{1, 2}, money{2, 4}), Values(nil, "mine")})
	require.Len(t, k.samples, len(newKit(codec.JSON, nil).samples)+3)
	added := k.samples[0]
	require.True(t, k.same(added, money{1, 2}, money{2, 4}))
	require.NoError(t, checkRoundTrip(k))
}

// broken is JSON with a fault.
type broken struct {
	name   func() string
	append func(dst []byte, v any) ([]byte, error)
	decode func(data []byte, v any) error
}

func (b broken) Name() string {
	if b.name != nil {
		return b.name()
	}
	return "broken"
}

func (b broken) Append(dst []byte, v any) ([]byte, error) {
	if b.append != nil {
		return b.append(dst, v)
	}
	return codec.JSON.Append(dst, v)
}

func (b broken) Decode(data []byte, v any) error {
	if b.decode != nil {
		return b.decode(data, v)
	}
	return codec.JSON.Decode(data, v)
}

func (broken) CheckType(t reflect.Type) error { return codec.CheckType(codec.JSON, t) }

// TestRulesFindFaults breaks each rule in a way that no other rule detects in its stead.
func TestRulesFindFaults(t *testing.T) {
	kept, calls := []byte(nil), 0
	faults := map[string][]broken{
		"name": {
			{name: func() string { return "" }},
			{name: func() string { return "two words" }},
			{name: func() string { calls++; return fmt.Sprint(calls) }},
		},
		"round trip": {
			{append: func(dst []byte, v any) ([]byte, error) {
				if s, ok := v.(string); ok {
					v = strings.ToUpper(s)
				}
				return codec.JSON.Append(dst, v)
			}},
			{append: func([]byte, any) ([]byte, error) { return nil, errors.New("never") }},
			{decode: func([]byte, any) error { return nil }},
			{decode: func([]byte, any) error { panic("on purpose") }},
		},
		"nil and empty": {{append: func(dst []byte, v any) ([]byte, error) {
			if rv := reflect.ValueOf(v); rv.Kind() == reflect.Map && rv.Len() == 0 {
				return append(dst, "null"...), nil
			}
			return codec.JSON.Append(dst, v)
		}}},
		"append": {
			{append: func(_ []byte, v any) ([]byte, error) { return codec.JSON.Append(nil, v) }},
			{append: func(dst []byte, v any) ([]byte, error) {
				if len(dst) > 0 {
					dst = append(dst, ' ')
				}
				return codec.JSON.Append(dst, v)
			}},
		},
		"no aliasing": {
			{decode: func(data []byte, v any) error {
				err := codec.JSON.Decode(data, v)
				clear(data)
				return err
			}},
			{decode: func(data []byte, v any) error {
				if b, ok := v.(*[]byte); ok {
					*b = data
					return nil
				}
				return codec.JSON.Decode(data, v)
			}, append: rawBytes(func(_, b []byte) []byte { return bytes.Clone(b) })},
			{append: rawBytes(func(_, b []byte) []byte { return b }), decode: bytesBack},
		},
		"deterministic": {{append: func(dst []byte, v any) ([]byte, error) {
			dst, err := codec.JSON.Append(dst, v)
			if err == nil && rand.IntN(2) == 0 {
				dst = append(dst, ' ')
			}
			return dst, err
		}}},
		"truncated": {{decode: func(data []byte, v any) error {
			if len(data) < 5 {
				return nil
			}
			return codec.JSON.Decode(data, v)
		}}, {decode: plainJSON}},
		"trailing": {{decode: func(data []byte, v any) error {
			return wrapped(json.NewDecoder(bytes.NewReader(data)).Decode(v))
		}}},
		"foreign": {
			{decode: plainJSON},
			{decode: func(data []byte, v any) error {
				if err := codec.JSON.Decode(data, v); err != nil {
					return fmt.Errorf("%w: %q", err, data)
				}
				return nil
			}},
			{decode: func(data []byte, v any) error {
				if len(data) == 0 {
					return nil
				}
				return codec.JSON.Decode(data, v)
			}},
		},
		"range": {{decode: func(data []byte, v any) error {
			if small, ok := v.(*int8); ok {
				var n int
				err := codec.JSON.Decode(data, &n)
				*small = int8(n)
				return err
			}
			return codec.JSON.Decode(data, v)
		}}},
		"damaged": {{decode: plainJSON}, {decode: func(data []byte, v any) error {
			if len(data) > 0 && data[0] > 0xf0 {
				panic("on purpose")
			}
			return codec.JSON.Decode(data, v)
		}}},
		"bounded": {{decode: func(data []byte, v any) error {
			if bytes.Contains(data, []byte("\x7f\xff\xff\xff")) {
				kept = make([]byte, 1<<27)
			}
			return codec.JSON.Decode(data, v)
		}}},
		"no target": {{decode: func(data []byte, v any) error {
			if v == nil {
				return nil
			}
			return codec.JSON.Decode(data, v)
		}}},
		"no form": {{append: func(dst []byte, v any) ([]byte, error) {
			if _, ok := v.(chan int); ok {
				return append(dst, "null"...), nil
			}
			return codec.JSON.Append(dst, v)
		}}},
		"allocations": {{decode: func(data []byte, v any) error {
			for range 100 {
				kept = make([]byte, 64)
			}
			return codec.JSON.Decode(data, v)
		}}},
		"concurrent": {{decode: func() func([]byte, any) error {
			turns := make(chan struct{}, 1)
			return func(data []byte, v any) error {
				select {
				case turns <- struct{}{}:
					defer func() { <-turns }()
					runtime.Gosched() // otherwise all may happen to run one after another
					return codec.JSON.Decode(data, v)
				default:
					return wrapped(errors.New("busy"))
				}
			}
		}()}},
	}
	others := map[string][]codec.Codec{
		"stored type": {
			teller{broken{}, func([]byte) (string, error) { return "", nil }},
			teller{broken{}, func([]byte) (string, error) { return "two words", nil }},
			teller{broken{}, func([]byte) (string, error) { return "type", nil }},
			teller{broken{}, func([]byte) (string, error) { return "", errors.New("never") }},
			teller{broken{}, func(data []byte) (string, error) {
				return "", fmt.Errorf("%w: %w: %q", codec.ErrDecode, codec.ErrNoType, data)
			}},
		},
		"fixed type": {
			fixer{broken{}, broken{name: func() string { return "another" }}},
			fixer{broken{}, broken{append: func(dst []byte, v any) ([]byte, error) { return codec.JSON.Append(append(dst, ' '), v) }}},
			fixer{broken{}, broken{decode: func([]byte, any) error { return nil }}},
			fixer{broken{}, broken{decode: func(data []byte, v any) error {
				if v == nil {
					return nil
				}
				return codec.JSON.Decode(data, v)
			}}},
		},
	}
	for _, r := range rules {
		var log failures
		r.test(&log, newKit(broken{}, nil))
		require.Empty(t, log, r.name)
		for _, fault := range faults[r.name] {
			others[r.name] = append(others[r.name], fault)
		}
		require.NotEmpty(t, others[r.name], r.name)
		for i, fault := range others[r.name] {
			var log failures
			r.test(&log, newKit(fault, nil))
			require.Len(t, log, 1, "%s, fault %d", r.name, i)
			require.Contains(t, log[0], "rule: "+r.text+"\n", "%s, fault %d", r.name, i)
		}
	}
	require.NotNil(t, kept)
}

// failures is a test that records its failures.
type failures []string

func (f *failures) Errorf(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// teller is a broken codec with a StoredType.
type teller struct {
	broken
	tell func([]byte) (string, error)
}

func (s teller) StoredType(data []byte) (string, error) { return s.tell(data) }

// fixer is a codec whose FixType returns another codec.
type fixer struct {
	broken
	fixed codec.Codec
}

func (f fixer) FixType(reflect.Type) codec.Codec { return f.fixed }

func rawBytes(out func(dst, b []byte) []byte) func([]byte, any) ([]byte, error) {
	return func(dst []byte, v any) ([]byte, error) {
		if b, ok := v.([]byte); ok {
			return out(dst, b), nil
		}
		return codec.JSON.Append(dst, v)
	}
}

func bytesBack(data []byte, v any) error {
	if b, ok := v.(*[]byte); ok {
		*b = bytes.Clone(data)
		return nil
	}
	return codec.JSON.Decode(data, v)
}

// plainJSON forgets ErrDecode.
func plainJSON(data []byte, v any) error { return json.Unmarshal(data, v) }

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: broken", codec.ErrDecode)
}
