// Package codectest holds the rules that a [codec.Codec] keeps, as tests. It is for anyone who
// writes a codec:
//
//	func TestConformance(t *testing.T) { codectest.Run(t, mycodec.Codec) }
//
// Each failure quotes the rule that was broken. Of the kit's values those are used whose type
// the codec accepts (see [codec.TypeChecker]); [Values] adds others.
package codectest

import (
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"github.com/redisimnest/redisimnest/codec"
)

// Run tests c by all rules, one subtest each.
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

// An Option tells the kit what a codec promises.
type Option func(*kit)

// NilIsEmpty is for a codec that does not tell nil from empty: what it gives back of a slice, a
// map or a pointer to a zero value may be nil instead, and the other way round.
func NilIsEmpty() Option { return func(k *kit) { k.nilIsEmpty = true } }

// Unordered is for a codec that may write equal values in different bytes.
func Unordered() Option { return func(k *kit) { k.unordered = true } }

// Microseconds is for a codec that refuses times finer than that.
func Microseconds() Option { return func(k *kit) { k.precision = time.Microsecond } }

// Instants is for a codec that keeps the instant of a time but not its offset from UTC.
func Instants() Option { return func(k *kit) { k.instants = true } }

// Allocs allows n allocations to encode and decode a struct of ten fields. The default is 40.
func Allocs(n float64) Option { return func(k *kit) { k.allocs = n } }

// Values adds values of a type T to those that the rules are tried on. They are compared by
// equal or, if it is nil, field by field, with times compared as instants with an offset.
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

// kit is one codec with what it promises and the values that it is tried on.
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
	for _, s := range samples(k.precision) {
		k.add(s)
	}
	return k
}

// add adds s if the codec accepts its type.
func (k *kit) add(s sample) {
	if codec.CheckType(k.codec, s.typ) == nil {
		k.samples = append(k.samples, s)
	}
}

// rule is one promise. Its check gives what broke it.
type rule struct {
	name, text string
	check      func(*kit) error
}

// test fails t, and quotes the rule, if it is broken.
func (r rule) test(t interface{ Errorf(string, ...any) }, k *kit) {
	if err := r.run(k); err != nil {
		t.Errorf("rule: %s\n%v", r.text, err)
	}
}

// run turns a panic into a broken rule.
func (r rule) run(k *kit) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return r.check(k)
}
