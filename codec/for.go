package codec

import (
	"errors"
	"fmt"
	"reflect"
)

// For fixes c to the type T. The choice is made once, here. With [Auto] the result handles strings,
// byte slices, numbers, booleans, times, and types defined as one of these without reflection or
// boxing. For returns an error if c is nil or reports that it can never hold a T.
func For[T any](c Codec) (Typed[T], error) {
	t := reflect.TypeFor[T]()
	if err := holds(c, t); err != nil {
		return nil, err
	}
	switch c := c.(type) {
	case auto:
		return autoFor[T](t), nil
	case jsonCodec:
		return jsonFor[T](c.Name(), t), nil
	case raw:
		return rawFor[T](t), nil
	case formed:
		return &formedTyped[T]{c.Name(), c.formFor(t)}, nil
	}
	fixed := FixType(c, t)
	if t.Kind() == reflect.Interface {
		return &dynamic[T]{boxed[T]{codec: fixed}}, nil
	}
	maker, _ := fixed.(Maker)
	return &boxed[T]{codec: fixed, maker: maker}, nil
}

// holds returns an error if c is nil or can never hold values of type t.
func holds(c Codec, t reflect.Type) error {
	if c == nil {
		return errors.New("codec: no codec given")
	}
	if err := CheckType(c, t); err != nil {
		return fmt.Errorf("codec: %s: type %s: %w", c.Name(), typeName(t), err)
	}
	return nil
}

// boxed is any codec for T, through the interfaces of [Codec].
type boxed[T any] struct {
	_     incomparable
	codec Codec
	maker Maker // codec, if it is a Maker and T is a pointer type
}

func (b *boxed[T]) Encode(v T) (string, error) {
	data, err := b.codec.Append(nil, v)
	return text(data), err // kept short so that it is inlined into what is called through Typed
}

func (b *boxed[T]) Decode(data string) (T, error) {
	if b.maker != nil {
		return b.made(data)
	}
	var v T
	if err := b.codec.Decode(view(data), &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

func (b *boxed[T]) made(data string) (T, error) {
	v, err := b.maker.Make(view(data))
	if err != nil {
		var zero T
		return zero, err
	}
	t, ok := v.(T)
	if !ok {
		return t, decodeError(b.codec.Name(), typeName(reflect.TypeFor[T]()), len(data), "the codec made a value of another type")
	}
	return t, nil
}

// incomparable spares a program the function that compares two values, which each T would otherwise
// have.
type incomparable [0]func()

// dynamic is boxed for an interface type T. Passed as an any, a T would become the value it holds,
// and a codec would write that in a form other than the one it later reads as a T.
type dynamic[T any] struct{ boxed[T] }

func (d *dynamic[T]) Encode(v T) (string, error) {
	data, err := d.codec.Append(nil, &v)
	if err != nil {
		return "", err
	}
	return text(data), nil
}
