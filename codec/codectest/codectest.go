// Package codectest tests the rules that a [codec.Codec] must keep. It is for anyone who writes a
// codec:
//
//	func TestConformance(t *testing.T) { codectest.Run(t, mycodec.Codec) }
//
// Each failure quotes the rule that was broken. The kit uses those of its values whose type the
// codec accepts (see [codec.TypeChecker]); [Values] adds more. Some are values that libraries are
// known to lose a part of, such as zero times and fields that hide each other. A codec may refuse
// the type of such a value, or the value itself with an error that wraps [codec.ErrEncode];
// otherwise it must return the same value.
package codectest

import (
	"errors"
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"github.com/redisimnest/redisimnest/codec"
)

// Run tests all rules on c, each in a subtest.
func Run(t *testing.T, c codec.Codec, options ...Option) {
	t.Helper()
	k := newKit(c, options)
	if len(k.samples) == 0 {
		t.Fatalf("the codec %q accepts no type that the kit has: add values of one with Values", c.Name())
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) { r.test(t, k) })
	}
}

// An Option describes what a codec promises.
type Option func(*kit)

// NilIsEmpty is for a codec that does not distinguish nil from empty. For a slice, a map or a
// pointer to a zero value it may return nil, and for nil an empty one.
func NilIsEmpty() Option { return func(k *kit) { k.nilIsEmpty = true } }

// Unordered is for a codec that may encode equal values as different bytes.
func Unordered() Option { return func(k *kit) { k.unordered = true } }

// Microseconds is for a codec that refuses times with a finer precision.
func Microseconds() Option { return func(k *kit) { k.precision = time.Microsecond } }

// Instants is for a codec that keeps the instant of a time but not its offset from UTC.
func Instants() Option { return func(k *kit) { k.instants = true } }

// Allocs allows n allocations to encode and decode a struct of ten fields. The default is 40.
func Allocs(n float64) Option { return func(k *kit) { k.allocs = n } }

// Values adds values of type T to those that the rules are tested on. They are compared by equal
// or, if it is nil, field by field; times are then compared by their instants and offsets.
func Values[T any](equal func(a, b T) bool, values ...T) Option {
	return func(k *kit) {
		for _, v := range values {
			s := newSample(v)
			if equal != nil {
				s.equal = func(a, b any) bool { return equal(a.(T), b.(T)) }
			}
			k.add(s)
		}
	}
}

// kit is a codec with its promises and the values that it is tested on.
type kit struct {
	codec      codec.Codec
	samples    []sample
	nilIsEmpty bool
	unordered  bool
	allocs     float64
	precision  time.Duration // of times
	instants   bool          // times are compared without their offsets
}

func newKit(c codec.Codec, options []Option) *kit {
	k := &kit{codec: c, allocs: 40, precision: time.Nanosecond}
	for _, o := range options {
		o(k)
	}
	for _, s := range append(samples(k.precision), edges(k.precision)...) {
		k.add(s)
	}
	return k
}

// add adds s if the codec accepts its type and does not refuse the value, where it may do so.
func (k *kit) add(s sample) {
	if codec.CheckType(k.codec, s.typ) == nil && !(s.edge && k.refuses(s)) {
		k.samples = append(k.samples, s)
	}
}

func (k *kit) refuses(s sample) bool {
	err := rule{check: func(k *kit) error {
		_, err := k.codec.Append(nil, s.value)
		return err
	}}.run(k)
	return errors.Is(err, codec.ErrEncode)
}

// rule is one promise. Its check returns an error that says what broke it.
type rule struct {
	name, text string
	check      func(*kit) error
}

// test fails t and quotes the rule if it is broken.
func (r rule) test(t interface{ Errorf(string, ...any) }, k *kit) {
	if err := r.run(k); err != nil {
		t.Errorf("rule: %s\n%v", r.text, err)
	}
}

// run runs the check and turns a panic into an error.
func (r rule) run(k *kit) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return r.check(k)
}
