package codectest

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/redisimnest/redisimnest/codec"
)

// sample is a value for a round trip.
type sample struct {
	typ   reflect.Type
	value any
	equal func(a, b any) bool // nil: compare as kit.same does
	typed func(codec.Codec) (string, any, error)
	built bool // of several parts: no part of its encoded form encodes a value of its type
	empty bool // nil, empty, a pointer to a zero value, or containing one of these
	edge  bool // a codec may refuse it when it is encoded, with an error that wraps ErrEncode
}

func newSample[T any](v T) sample {
	return sample{
		typ:   reflect.TypeFor[T](),
		value: v,
		typed: func(c codec.Codec) (stored string, back any, err error) {
			typed, err := codec.For[T](c)
			if err != nil {
				return "", nil, err
			}
			if stored, err = typed.Encode(v); err != nil {
				return "", nil, err
			}
			back, err = typed.Decode(stored)
			return stored, back, err
		},
	}
}

func (s sample) String() string { return fmt.Sprintf("%s %.60q", s.typ, fmt.Sprintf("%+v", s.value)) }

// blank reports whether the sample is an empty text.
func (s sample) blank() bool {
	v := reflect.ValueOf(s.value)
	return (v.Kind() == reflect.String || v.Kind() == reflect.Slice) && v.Len() == 0
}

// target returns a pointer to a zero value, for Decode.
func (s sample) target() any { return reflect.New(s.typ).Interface() }

// held returns the value that target points to.
func held(target any) any { return reflect.ValueOf(target).Elem().Interface() }

type (
	named  int
	label  string
	record struct {
		ID      int64
		Name    string
		Email   string
		Age     int
		Score   float64
		Active  bool
		Created time.Time
		Data    []byte
		Tags    []string
		Limits  map[string]int
	}
	tree struct {
		Name  string
		Left  *tree
		Right *tree
		Notes []string
		Index map[string]*tree
	}
)

func newRecord(precision time.Duration) record {
	return record{
		ID: 1 << 40, Name: "Ali \u2603 \"quoted\" <tag>", Email: "ali@example.com", Age: 42, Score: 0.1, Active: true,
		Created: time.Date(2024, 1, 2, 3, 4, 5, 678901234, time.UTC).Truncate(precision), Data: []byte{0, 1, 255},
		Tags: []string{"a", "", "c"}, Limits: map[string]int{"z": 1, "a": -2, "m": 3},
	}
}

// samples returns the kit's own values, with times of the given precision.
func samples(precision time.Duration) []sample {
	zero, one := 0, 1
	simple := []sample{
		newSample(false), newSample(true),
		newSample(0), newSample(-1), newSample(math.MaxInt), newSample(math.MinInt),
		newSample[int8](math.MinInt8), newSample[int16](math.MaxInt16), newSample[int32](math.MinInt32),
		newSample[int64](math.MaxInt64), newSample[int64](math.MinInt64),
		newSample[uint](math.MaxUint), newSample[uint8](255), newSample[uint16](math.MaxUint16),
		newSample[uint32](math.MaxUint32), newSample[uint64](math.MaxUint64),
		newSample(0.0), newSample(math.Copysign(0, -1)), newSample(0.1), newSample(-1e300),
		newSample(math.SmallestNonzeroFloat64), newSample(math.MaxFloat64), newSample(float32(0.1)),
		newSample(float32(math.MaxFloat32)),
		newSample(""), newSample("text"), newSample("\x00\n\"\\\u2603\U0001F600"), newSample("1"), newSample("null"),
		newSample([]byte("bytes")), newSample([]byte{0, 0xff, 0xfe, '\n'}),
		newSample(named(7)), newSample(label("a label")), newSample(90 * time.Second),
		newSample(time.Date(2024, 1, 2, 3, 4, 5, 678901234, time.UTC).Truncate(precision)),
		newSample(time.Date(1969, 12, 31, 23, 59, 59, 1001, time.UTC).Truncate(precision)),
		newSample(&one),
	}
	built := []sample{
		newSample(newRecord(precision)), newSample(&record{Name: "pointed to"}),
		newSample([]string{"one", "two", ""}), newSample([]int{1, -1, math.MaxInt32}),
		newSample([3]int{1, 2, 3}), newSample([][]string{{"a"}, {"b", "c"}}),
		newSample([]record{newRecord(precision), newRecord(precision)}),
		newSample(map[string]string{"k": "v", "": "empty", "\u2603": "snow"}),
		newSample(map[string][]int{"a": {1}, "b": {2, 3}}), newSample(map[int]bool{1: true, -5: false}),
		newSample(tree{Name: "top", Left: &tree{Name: "left"}, Right: &tree{Name: "right"},
			Notes: []string{"n"}, Index: map[string]*tree{"x": {Name: "x"}}}),
	}
	for i := range built {
		built[i].built = true
	}
	empty := []sample{
		newSample([]byte{}), newSample[[]string](nil), newSample([]string{}),
		newSample[map[string]int](nil), newSample(map[string]int{}),
		newSample[*int](nil), newSample(&zero), newSample[*record](nil), newSample(&record{}),
		newSample(record{}), newSample(record{Data: []byte{}, Tags: []string{}, Limits: map[string]int{}}),
		newSample([][]string{nil, {}}), newSample(map[string][]int{"nil": nil, "empty": {}}),
	}
	for i := range empty {
		empty[i].empty = true
	}
	return append(append(simple, built...), empty...)
}
