package codectest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/redisimnest/redisimnest/codec"
)

var rules = []rule{
	{"name", "Name returns a word without white space, the same at each call.", checkName},
	{"round trip", "Decode returns what Append was given, through codec.For too.", checkRoundTrip},
	{"nil and empty", "Nil and empty slices, maps and pointers are told apart (unless NilIsEmpty).", checkEmpty},
	{"append", "Append leaves what dst holds and adds the same bytes as to an empty dst.", checkAppend},
	{"no aliasing", "Decode neither changes data nor keeps a part of it; Append keeps no part of v and returns none.", checkAliasing},
	{"deterministic", "Equal values give equal bytes (unless Unordered).", checkDeterministic},
	{"truncated", "A value that was cut short is an error that wraps ErrDecode.", checkTruncated},
	{"trailing", "Data after a value is an error that wraps ErrDecode.", checkTrailing},
	{"foreign", "Bytes of another origin are an error that wraps ErrDecode and does not quote them.", checkForeign},
	{"range", "A number that does not fit is an error that wraps ErrDecode, never another number.", checkRange},
	{"damaged", "Decode of any bytes returns, with an error that wraps ErrDecode if with one, and does not quote them.", checkDamaged},
	{"bounded", "Decode allocates in proportion to the length of data, not to a length that it is told.", checkBounded},
	{"no target", "Decode into what is not a pointer to a variable is an error that wraps ErrDecode.", checkNoTarget},
	{"no form", "Append of a value that has no form is an error that wraps ErrEncode.", checkNoForm},
	{"stored type", "StoredType, of a codec that has it, returns a word or an error that wraps ErrDecode, and does not quote the data.", checkStoredType},
	{"fixed type", "FixType, of a codec that has it, returns a codec of the same name, form and errors.", checkFixedType},
	{"allocations", "A struct of ten fields is encoded and decoded within the allowed number of allocations.", checkAllocations},
	{"concurrent", "A codec is safe for concurrent use.", checkConcurrent},
}

func checkName(k *kit) error {
	name := k.codec.Name()
	if name == "" || strings.ContainsFunc(name, unicode.IsSpace) || name != k.codec.Name() {
		return fmt.Errorf("the name is %q, then %q", name, k.codec.Name())
	}
	return nil
}

func checkRoundTrip(k *kit) error {
	return k.each(func(s sample) error {
		if s.empty {
			return nil
		}
		return k.roundTrip(s)
	})
}

func checkEmpty(k *kit) error {
	return k.each(func(s sample) error {
		if !s.empty {
			return nil
		}
		return k.roundTrip(s)
	})
}

func (k *kit) roundTrip(s sample) error {
	_, back, err := k.trip(s)
	if err != nil {
		return err
	}
	stored, typed, err := s.typed(k.codec)
	if err != nil {
		return fmt.Errorf("%v: through codec.For: %w", s, err)
	}
	if s.empty && k.nilIsEmpty {
		return nil
	}
	for _, got := range []any{back, typed} {
		if !k.same(s, s.value, got) {
			return fmt.Errorf("%v came back as %+v, stored as %.200q", s, got, stored)
		}
	}
	return nil
}

func checkAppend(k *kit) error {
	return k.each(func(s sample) error {
		alone, err := k.encode(s)
		if err != nil {
			return err
		}
		for _, dst := range [][]byte{append(make([]byte, 0, 1<<16), "before"...), []byte("before")} {
			got, err := k.codec.Append(dst, s.value)
			if err != nil {
				return fmt.Errorf("%v: %w", s, err)
			}
			rest, ok := bytes.CutPrefix(got, []byte("before"))
			if !ok || string(dst) != "before" {
				return fmt.Errorf("%v: what dst held is lost: %.60q", s, got)
			}
			if !k.unordered && !bytes.Equal(rest, alone) {
				return fmt.Errorf("%v: appended %.60q, but %.60q to an empty dst", s, rest, alone)
			}
			if err := k.reads(s, rest); err != nil {
				return fmt.Errorf("%v: appended %.60q: %w", s, rest, err)
			}
		}
		return nil
	})
}

// reads returns an error unless data is read as the value.
func (k *kit) reads(s sample, data []byte) error {
	target := s.target()
	if err := k.codec.Decode(bytes.Clone(data), target); err != nil {
		return err
	}
	if back := held(target); !k.same(s, s.value, back) && !(s.empty && k.nilIsEmpty) {
		return fmt.Errorf("it came back as %+v", back)
	}
	return nil
}

func checkAliasing(k *kit) error {
	return k.each(func(s sample) error {
		data, first, err := k.trip(s)
		if err != nil {
			return err
		}
		input, target := bytes.Clone(data), s.target()
		if err := k.codec.Decode(input, target); err != nil {
			return fmt.Errorf("%v: %w", s, err)
		}
		if !bytes.Equal(input, data) {
			return fmt.Errorf("%v: Decode changed its input", s)
		}
		for i := range input {
			input[i] ^= 0xff
		}
		if !k.same(s, first, held(target)) {
			return fmt.Errorf("%v: changed together with the input of Decode", s)
		}
		if v, ok := s.value.([]byte); ok {
			mine := bytes.Clone(v)
			out, err := k.codec.Append(nil, mine)
			if err != nil {
				return fmt.Errorf("%v: %w", s, err)
			}
			before := bytes.Clone(out)
			for i := range mine {
				mine[i] ^= 0xff
			}
			if !bytes.Equal(out, before) {
				return fmt.Errorf("%v: what Append returned changed together with the value", s)
			}
		}
		return nil
	})
}

func checkDeterministic(k *kit) error {
	if k.unordered {
		return nil
	}
	return k.each(func(s sample) error {
		data, back, err := k.trip(s)
		if err != nil {
			return err
		}
		for range 20 {
			again, err := k.codec.Append(nil, back)
			if err != nil {
				return fmt.Errorf("%v: %w", s, err)
			}
			if !bytes.Equal(data, again) {
				return fmt.Errorf("%v: once %.120q, once %.120q", s, data, again)
			}
		}
		return nil
	})
}

func checkTruncated(k *kit) error {
	return k.each(func(s sample) error {
		data, err := k.encode(s)
		if err != nil || s.edge {
			return err
		}
		for n := range data {
			target := s.target()
			err := k.codec.Decode(data[:n:n], target)
			if err := wraps(err); err != nil {
				return fmt.Errorf("%v, %d of %d bytes: %w", s, n, len(data), err)
			}
			// A prefix of a text, even an empty one, may be another text.
			if err == nil && (s.built || !s.blank() && k.same(s, s.value, held(target))) {
				return fmt.Errorf("%v, %d of %d bytes: no error", s, n, len(data))
			}
		}
		return nil
	})
}

func checkTrailing(k *kit) error {
	return k.each(func(s sample) error {
		data, err := k.encode(s)
		if err != nil || !s.built {
			return err
		}
		for _, more := range []string{"\x00", "}", "1", string(data)} {
			err := k.codec.Decode(append(bytes.Clone(data), more...), s.target())
			if !errors.Is(err, codec.ErrDecode) {
				return fmt.Errorf("%v and %.20q: the error is %v", s, more, err)
			}
		}
		return nil
	})
}

// marker is part of hostile input; no error may quote it.
const marker = "xyzzy-plugh"

func checkForeign(k *kit) error {
	foreign := []string{
		"", "\x00", "\xff\xff\xff\xff", marker, "<" + marker + "/>", `{"` + marker + `": `, `"` + marker,
		"\xfa\x5e\x01" + marker, "\x7f\x7f" + marker, "\xc1\xff" + marker,
	}
	return k.each(func(s sample) error {
		if !s.built {
			return nil
		}
		for _, data := range foreign {
			err := k.codec.Decode([]byte(data), s.target())
			if err == nil {
				return fmt.Errorf("%q is a %v", data, s.typ)
			}
			if err := wraps(err); err != nil {
				return fmt.Errorf("%q as %v: %w", data, s.typ, err)
			}
		}
		return nil
	})
}

func checkRange(k *kit) error {
	for _, c := range []struct {
		value   any
		targets []any
	}{
		{300, []any{new(int8), new(uint8)}},
		{-1, []any{new(uint), new(uint8), new(uint16), new(uint32), new(uint64)}},
		{1 << 20, []any{new(int16), new(uint16)}},
		{int64(1 << 40), []any{new(int32), new(uint32)}},
		{uint64(math.MaxUint64), []any{new(int), new(int64)}},
		{1e300, []any{new(float32), new(int)}},
		{1.5, []any{new(int), new(uint)}},
		{"text", []any{new(int), new(uint), new(float64), new(bool)}},
		{[]int{1, 1 << 20}, []any{new([]int8), new([]uint16)}},
		{map[string]int{"a": -1}, []any{new(map[string]uint)}},
	} {
		if codec.CheckType(k.codec, reflect.TypeOf(c.value)) != nil {
			continue
		}
		data, err := k.codec.Append(nil, c.value)
		if err != nil {
			return fmt.Errorf("%v: %w", c.value, err)
		}
		for _, target := range c.targets {
			if codec.CheckType(k.codec, reflect.TypeOf(target).Elem()) != nil {
				continue
			}
			if err := k.codec.Decode(data, target); !errors.Is(err, codec.ErrDecode) {
				return fmt.Errorf("%v read as %T is %v, the error %v", c.value, target, held(target), err)
			}
		}
	}
	return nil
}

// damage calls visit with many byte slices that are almost data.
func damage(data []byte, visit func([]byte) error) error {
	for i := range min(len(data), 100) {
		for _, flip := range []byte{0x01, 0x80, 0xff, data[i] ^ 0x7f, data[i] ^ 0xff} {
			hurt := bytes.Clone(data)
			hurt[i] ^= flip
			if err := visit(hurt); err != nil {
				return err
			}
		}
		// A huge number in the place of a length.
		for _, length := range []string{"\xff\xff\xff\xff\xff\xff\xff\x7f", "\x7f\xff\xff\xff", "\xf8\x7f\xff\xff\xff\xff\xff\xff\xff"} {
			hurt := append(append(bytes.Clone(data[:i]), length...), data[i:]...)
			if err := visit(hurt); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkDamaged(k *kit) error {
	return k.each(func(s sample) error {
		data, err := k.encode(s)
		if err != nil || s.edge {
			return err
		}
		return damage(data, func(hurt []byte) error {
			if err := wraps(k.codec.Decode(hurt, s.target())); err != nil {
				return fmt.Errorf("%v: %q: %w", s, hurt, err)
			}
			return nil
		})
	})
}

func checkBounded(k *kit) error {
	return k.each(func(s sample) error {
		if !s.built && !s.empty || s.edge {
			return nil
		}
		data, err := k.encode(s)
		if err != nil {
			return err
		}
		inputs, bytesIn := 0, 0
		allocated, err := allocatedBy(func() error {
			return damage(data, func(hurt []byte) error {
				inputs, bytesIn = inputs+1, bytesIn+len(hurt)
				_ = k.codec.Decode(hurt, s.target())
				return nil
			})
		})
		// The limit is generous, yet far below what a length of 31 bits asks for.
		if allowed := uint64(inputs)<<18 + uint64(bytesIn)<<10; allocated > allowed {
			return fmt.Errorf("%v: %d damaged inputs of %d bytes in all made it allocate %d bytes", s, inputs, bytesIn, allocated)
		}
		return err
	})
}

func allocatedBy(f func() error) (uint64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, err
}

func checkNoTarget(k *kit) error {
	return k.each(func(s sample) error {
		data, err := k.encode(s)
		if err != nil {
			return err
		}
		for _, target := range []any{nil, 1, s.value, reflect.Zero(reflect.PointerTo(s.typ)).Interface()} {
			if reflect.ValueOf(target).Kind() == reflect.Pointer && !reflect.ValueOf(target).IsNil() {
				continue
			}
			if err := k.codec.Decode(data, target); !errors.Is(err, codec.ErrDecode) {
				return fmt.Errorf("into %T: the error is %v", target, err)
			}
		}
		return nil
	})
}

func checkNoForm(k *kit) error {
	for _, v := range []any{make(chan int), func() {}, struct{ C chan int }{make(chan int)}, complex(1, 2)} {
		// A codec refuses by value what it refuses by type, and vice versa.
		refused := codec.CheckType(k.codec, reflect.TypeOf(v)) != nil
		_, err := k.codec.Append(nil, v)
		if refused && err == nil || err != nil && !errors.Is(err, codec.ErrEncode) {
			return fmt.Errorf("%T: the error is %v", v, err)
		}
	}
	if _, err := k.codec.Append(nil, nil); err != nil && !errors.Is(err, codec.ErrEncode) {
		return fmt.Errorf("nil: the error is %w", err)
	}
	return nil
}

func checkStoredType(k *kit) error {
	teller, ok := k.codec.(codec.TypeTeller)
	if !ok {
		return nil
	}
	return k.each(func(s sample) error {
		data, err := k.encode(s)
		if err != nil {
			return err
		}
		name, err := teller.StoredType(bytes.Clone(data))
		if err == nil && (name == "" || strings.ContainsFunc(name, unicode.IsSpace)) || err != nil && !errors.Is(err, codec.ErrNoType) {
			return fmt.Errorf("%v: the type is %q, the error %v", s, name, err)
		}
		if _, err := teller.StoredType([]byte("\xff" + marker)); err == nil || wraps(err) != nil {
			return fmt.Errorf("of foreign bytes: the error is %v", err)
		}
		return damage(data, func(hurt []byte) error {
			_, err := teller.StoredType(hurt)
			return wraps(err)
		})
	})
}

func checkFixedType(k *kit) error {
	fixer, ok := k.codec.(codec.TypeFixer)
	if !ok {
		return nil
	}
	return k.each(func(s sample) error {
		fixed := *k
		fixed.codec = fixer.FixType(s.typ)
		if fixed.codec.Name() != k.codec.Name() {
			return fmt.Errorf("%v: the name is %q, fixed %q", s, k.codec.Name(), fixed.codec.Name())
		}
		data, err := k.encode(s)
		if err != nil {
			return err
		}
		again, back, err := fixed.trip(s)
		if err != nil {
			return fmt.Errorf("fixed: %w", err)
		}
		if !k.unordered && !bytes.Equal(data, again) {
			return fmt.Errorf("%v: fixed it is %.120q, else %.120q", s, again, data)
		}
		if !k.same(s, s.value, back) && !(s.empty && k.nilIsEmpty) {
			return fmt.Errorf("%v: fixed it came back as %+v", s, back)
		}
		for _, target := range []any{nil, reflect.Zero(reflect.PointerTo(s.typ)).Interface()} {
			if err := fixed.codec.Decode(again, target); !errors.Is(err, codec.ErrDecode) {
				return fmt.Errorf("fixed, into %T: the error is %w", target, err)
			}
		}
		return nil
	})
}

func checkAllocations(k *kit) error {
	r := newRecord(k.precision)
	if codec.CheckType(k.codec, reflect.TypeOf(r)) != nil {
		return nil //nolint:nilerr // nothing to check with
	}
	typed, err := codec.For[record](k.codec)
	if err != nil {
		return err
	}
	got := testing.AllocsPerRun(50, func() {
		var stored string
		if stored, err = typed.Encode(r); err == nil {
			_, err = typed.Decode(stored)
		}
	})
	if err == nil && got > k.allocs {
		err = fmt.Errorf("%v allocations, %v are allowed", got, k.allocs)
	}
	return err
}

func checkConcurrent(k *kit) error {
	failures := make(chan error, 8)
	var wait sync.WaitGroup
	for range cap(failures) {
		wait.Go(func() {
			failures <- rule{check: func(k *kit) error {
				for range 5 {
					if err := k.each(k.roundTrip); err != nil {
						return err
					}
				}
				return nil
			}}.run(k)
		})
	}
	wait.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *kit) each(check func(sample) error) error {
	for _, s := range k.samples {
		if err := check(s); err != nil {
			return err
		}
	}
	return nil
}

func (k *kit) encode(s sample) ([]byte, error) {
	data, err := k.codec.Append(nil, s.value)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", s, err)
	}
	return data, nil
}

// trip encodes and decodes the sample.
func (k *kit) trip(s sample) (data []byte, back any, err error) {
	data, err = k.encode(s)
	if err != nil {
		return nil, nil, err
	}
	target := s.target()
	if err := k.codec.Decode(bytes.Clone(data), target); err != nil {
		return nil, nil, fmt.Errorf("%v, stored as %.200q: %w", s, data, err)
	}
	return data, held(target), nil
}

// wraps returns what is wrong with an error of Decode.
func wraps(err error) error {
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, codec.ErrDecode):
		return fmt.Errorf("the error does not wrap ErrDecode: %w", err)
	case strings.Contains(err.Error(), marker):
		return fmt.Errorf("the error quotes the data: %w", err)
	}
	return nil
}
