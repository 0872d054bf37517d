package nest

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/codec"
)

// Optional is one of several values that are read at once and may not exist.
type Optional[T any] struct {
	Value T
	Found bool
}

// elements is what Open prepares for a kind whose keys hold many Ts: the codec, chosen once, and
// the declared default. What each such kind prepares embeds it.
type elements[T any] struct {
	typed      codec.Typed[T]
	hasDefault bool
	missing    []string // the default's elements, encoded: they are decoded for each caller
}

// elementHolder is what is bound to a key of such a kind.
type elementHolder[T any] interface{ elementsOf() *elements[T] }

func (e *elements[T]) elementsOf() *elements[T] { return e }

// elementsIn returns the elements part of what is bound to a key.
func elementsIn[T any](m *mounted) *elements[T] { return m.bound.(elementHolder[T]).elementsOf() }

func bindElements[T any](m *mounted, fallback []T, hasDefault bool) (elements[T], error) {
	typed, err := codec.For[T](m.settings.codec)
	if err != nil {
		return elements[T]{}, err
	}
	e := elements[T]{typed: typed, hasDefault: hasDefault}
	for i, v := range fallback {
		text, err := typed.Encode(v)
		if err == nil {
			_, err = typed.Decode(text)
		}
		if err != nil {
			return e, fmt.Errorf("element %d of the default cannot be stored and read back with codec %s", i, m.settings.codec.Name())
		}
		e.missing = append(e.missing, text)
	}
	return e, nil
}

func (e *elements[T]) encode(m *mounted, v T) (string, error) {
	text, err := e.typed.Encode(v)
	if err != nil {
		return "", encodeError(m, err)
	}
	return text, nil
}

// encodeAll appends the encoded elements to dst.
func (e *elements[T]) encodeAll(m *mounted, dst []string, vs []T) ([]string, error) {
	for i, v := range vs {
		text, err := e.encode(m, v)
		if err != nil {
			return nil, locate("element "+strconv.Itoa(i), err)
		}
		dst = append(dst, text)
	}
	return dst, nil
}

func (e *elements[T]) decodeText(m *mounted, text string) (T, error) {
	v, err := e.typed.Decode(text)
	if err != nil {
		return v, decodeError(m, err)
	}
	return v, nil
}

func (e *elements[T]) decode(m *mounted, a rueidis.RedisMessage) (v T, err error) {
	text, err := a.ToString()
	if err != nil {
		return v, errAnswer
	}
	return e.decodeText(m, text)
}

func (e *elements[T]) decodeAll(m *mounted, answers []rueidis.RedisMessage) ([]T, error) {
	if len(answers) == 0 {
		return nil, nil
	}
	vs := make([]T, len(answers))
	for i, a := range answers {
		v, err := e.decode(m, a)
		if err != nil {
			return nil, locate("element "+strconv.Itoa(i), err)
		}
		vs[i] = v
	}
	return vs, nil
}

// defaults returns the default, as a separate copy for each caller.
func (e *elements[T]) defaults(m *mounted) ([]T, error) {
	var vs []T
	for _, text := range e.missing {
		v, err := e.decodeText(m, text)
		if err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
	return vs, nil
}

// errAnswer means that an answer has another form than the command promises. It does not repeat the
// answer, which may contain what is stored.
var errAnswer = errors.New("unexpected form of the server's answer")

// locate adds to an error the index or field at which it occurred.
func locate(where string, err error) error { return &reason{where + ": " + err.Error(), err} }

// replyElement reads an element or nil.
func replyElement[T any](m *mounted, a rueidis.RedisMessage) (found[T], error) {
	if a.IsNil() {
		return found[T]{}, nil
	}
	v, err := elementsIn[T](m).decode(m, a)
	return found[T]{v, err == nil}, err
}

// replyElements reads a list or set of elements; nil means none.
func replyElements[T any](m *mounted, a rueidis.RedisMessage) ([]T, error) {
	if a.IsNil() {
		return nil, nil
	}
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	return elementsIn[T](m).decodeAll(m, answers)
}

// replyWhole reads all elements of a key. If there are none, the key does not exist, and replyWhole
// returns the declared default.
func replyWhole[T any](m *mounted, a rueidis.RedisMessage) ([]T, error) {
	vs, err := replyElements[T](m, a)
	if err == nil && len(vs) == 0 {
		return elementsIn[T](m).defaults(m)
	}
	return vs, err
}

func replyInt(_ *mounted, a rueidis.RedisMessage) (int64, error) {
	n, err := a.AsInt64()
	if err != nil {
		return 0, errAnswer
	}
	return n, nil
}

// answeredInt reads the number in the answer to a command.
func answeredInt(a rueidis.RedisMessage, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return replyInt(nil, a)
}

// replyFoundInt reads a number or nil.
func replyFoundInt(m *mounted, a rueidis.RedisMessage) (found[int64], error) {
	if a.IsNil() {
		return found[int64]{}, nil
	}
	n, err := replyInt(m, a)
	return found[int64]{n, err == nil}, err
}

// replyFlags reads a list of zeros and ones.
func replyFlags(m *mounted, a rueidis.RedisMessage) ([]bool, error) {
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	flags := make([]bool, len(answers))
	for i, answer := range answers {
		n, err := replyInt(m, answer)
		if err != nil {
			return nil, err
		}
		flags[i] = n > 0
	}
	return flags, nil
}

// replyInts reads a list of numbers.
func replyInts(m *mounted, a rueidis.RedisMessage) ([]int64, error) {
	if a.IsNil() {
		return nil, nil
	}
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	var ns []int64
	for _, answer := range answers {
		n, err := replyInt(m, answer)
		if err != nil {
			return nil, err
		}
		ns = append(ns, n)
	}
	return ns, nil
}

var errCount = because(ErrArgument, "a number of elements is not negative")

// sliceDefault returns the declared default of a kind whose whole value is a []T.
func sliceDefault[T any](d *Declaration, constructor string) []T {
	if !d.config.hasDefault {
		return nil
	}
	fallback, err := fitDefault[[]T](d.config.def())
	if err != nil {
		d.where.refuse(constructor, d.template.Text, err)
	}
	return fallback
}

// nonEmpty makes the operation that reads a whole collection without its default. A collection
// without elements does not exist.
func nonEmpty[V any](reply func(*mounted, rueidis.RedisMessage) (V, error), size func(V) int) operation[found[V]] {
	return operation[found[V]]{opLoad, func(m *mounted, a rueidis.RedisMessage) (found[V], error) {
		v, err := reply(m, a)
		return found[V]{v, err == nil && size(v) > 0}, err
	}}
}

func sizeOf[T any](vs []T) int { return len(vs) }
