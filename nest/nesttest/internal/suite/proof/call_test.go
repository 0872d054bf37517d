package proof_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// caller calls operations by their names, with arguments made for their parameters' types. A new
// operation is called too, or fails the test until it can be called.
type caller struct {
	hash string // of the password "x"
}

// patience limits operations that end only with their context. shortWait limits operations that
// wait and find nothing. setExpiry is the expiry that is set.
const (
	patience  = 100 * time.Millisecond
	shortWait = 2 * time.Millisecond
	setExpiry = 70 * time.Second
)

// endless are the operations that end only with their context.
var endless = map[string]bool{"Consume": true, "Follow": true, "Subscribe": true}

// errNoArgument says that an operation cannot be called until this file has an argument of its
// type.
var errNoArgument = errors.New("the proof has no argument of this type")

// arguments returns the arguments of the operations for which the types alone do not say enough.
func (c caller) arguments(ctx context.Context, typ, op string, other keyRef) []any {
	switch op {
	case "Do":
		return []any{"EXISTS"}
	case "Restore":
		dump, err := other.Dump(ctx)
		if err != nil {
			dump = []byte("nothing to restore")
		}
		return []any{dump, nest.Replace()}
	}
	switch typ + "." + op {
	case "RecordRef.Incr":
		return []any{"n", int64(1)}
	case "RecordRef.IncrFloat":
		return []any{"f", 1.5}
	case "PasswordRef.SetHash":
		return []any{c.hash}
	case "StreamRef.Ack":
		return []any{"x", "1-0"}
	case "StreamRef.Claim":
		return []any{"x", "y", time.Duration(0), "1-0"}
	case "StreamRef.AutoClaim":
		return []any{"x", "y", time.Duration(0), "", int64(10)}
	case "StreamRef.CreateGroup":
		return []any{"new", ""}
	case "StreamRef.SetGroupID":
		return []any{"x", ""}
	case "StreamRef.SetLastID":
		return []any{"9-9"}
	case "StreamRef.DeleteEntries", "StreamRef.Lookup":
		return []any{"1-0"}
	case "StreamRef.Entries", "StreamRef.RevEntries":
		return []any{"", "", int64(10)}
	case "StreamRef.Range", "StreamRef.RevRange":
		return []any{"", ""}
	case "StreamRef.Read", "StreamRef.Follow":
		return []any{""}
	case "StreamRef.ReadPending":
		return []any{"x", "x", ""}
	case "StreamRef.Consume":
		return []any{"x", "x", func(context.Context, nest.Delivery[string]) error { return nil }}
	}
	return nil
}

// argumentsByType are arguments for types that say enough.
var argumentsByType = map[reflect.Type]any{
	reflect.TypeFor[string]():                             "x",
	reflect.TypeFor[int]():                                1,
	reflect.TypeFor[int64]():                              int64(1),
	reflect.TypeFor[float64]():                            1.5,
	reflect.TypeFor[bool]():                               true,
	reflect.TypeFor[[]byte]():                             []byte("x"),
	reflect.TypeFor[map[string]int64]():                   map[string]int64{"x": 1},
	reflect.TypeFor[record]():                             record{"x", 1, 1.5},
	reflect.TypeFor[nest.End]():                           nest.Left,
	reflect.TypeFor[nest.Span]():                          nest.ByScore(1, 1),
	reflect.TypeFor[nest.Point]():                         point,
	reflect.TypeFor[nest.Area]():                          nest.Circle(1, nest.Kilometers),
	reflect.TypeFor[nest.LengthUnit]():                    nest.Meters,
	reflect.TypeFor[nest.BitUnit]():                       nest.InBytes,
	reflect.TypeFor[nest.BitField]():                      nest.Unsigned(8, 0),
	reflect.TypeFor[nest.FieldOp]():                       nest.Unsigned(8, 0).Incr(1, nest.Wrap),
	reflect.TypeFor[nest.Overflow]():                      nest.Wrap,
	reflect.TypeFor[nest.ExpireCondition]():               nest.IfExpiry,
	reflect.TypeFor[nest.TrimOption]():                    nest.KeepLast(1),
	reflect.TypeFor[nest.PendingQuery]():                  nest.PendingQuery{},
	reflect.TypeFor[[]nest.Scored[string]]():              []nest.Scored[string]{{Member: "x", Score: 1}},
	reflect.TypeFor[[]nest.Place[string]]():               []nest.Place[string]{{Member: "x", Point: point}},
	reflect.TypeFor[nest.WriteOption]():                   nest.Replace(),
	reflect.TypeFor[func(string, bool) (string, error)](): func(string, bool) (string, error) { return "x", nil },
}

// isLoader reports whether a type is that of a function that makes a key's value.
func isLoader(typ reflect.Type) bool {
	return typ.Kind() == reflect.Func && typ.NumIn() == 1 && typ.In(0) == reflect.TypeFor[context.Context]() &&
		typ.NumOut() == 2 && typ.Out(1) == reflect.TypeFor[error]()
}

// argument makes one argument; variadic options other than Replace are left out.
func (c caller) argument(op string, typ reflect.Type, other keyRef) (reflect.Value, error) {
	switch {
	case other != nil && typ == reflect.TypeOf(other):
		return reflect.ValueOf(other), nil
	case other != nil && typ == reflect.SliceOf(reflect.TypeOf(other)):
		list := reflect.MakeSlice(typ, 1, 1)
		list.Index(0).Set(reflect.ValueOf(other))
		return list, nil
	case typ == reflect.TypeFor[time.Duration]() && strings.HasPrefix(op, "Wait"):
		return reflect.ValueOf(shortWait), nil
	case typ == reflect.TypeFor[time.Duration]():
		return reflect.ValueOf(setExpiry), nil
	case typ == reflect.TypeFor[time.Time]():
		return reflect.ValueOf(time.Now().Add(setExpiry)), nil
	}
	if v, ok := argumentsByType[typ]; ok {
		return reflect.ValueOf(v), nil
	}
	if typ.Kind() == reflect.Slice {
		v, err := c.argument(op, typ.Elem(), nil)
		if err != nil {
			return v, err
		}
		return reflect.Append(reflect.MakeSlice(typ, 0, 1), v), nil
	}
	if isLoader(typ) {
		v, err := c.argument(op, typ.Out(0), nil)
		return reflect.MakeFunc(typ, func([]reflect.Value) []reflect.Value {
			return []reflect.Value{v, reflect.Zero(typ.Out(1))}
		}), err
	}
	return reflect.Value{}, fmt.Errorf("%w: %v", errNoArgument, typ)
}

// args makes the arguments of a method that follow the first skip ones.
func (c caller) args(ctx context.Context, typ, op string, m reflect.Type, skip int, other keyRef, opts []any) ([]reflect.Value, error) {
	var args []reflect.Value
	if given := c.arguments(ctx, typ, op, other); given != nil {
		for _, v := range append(given, opts...) {
			args = append(args, reflect.ValueOf(v))
		}
		return args, nil
	}
	for i := skip; i < m.NumIn(); i++ {
		param := m.In(i)
		if i == m.NumIn()-1 && m.IsVariadic() {
			elem := param.Elem()
			if v, err := c.argument(op, elem, other); err == nil && !strings.HasSuffix(elem.Name(), "AddOption") {
				args = append(args, v)
			} else if !strings.HasSuffix(elem.Name(), "Option") {
				return nil, err
			}
			continue
		}
		v, err := c.argument(op, param, other)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	for _, o := range opts {
		args = append(args, reflect.ValueOf(o))
	}
	return args, nil
}

// call calls an operation of ref. other is another key of the same kind, for operations that take
// one.
func (c caller) call(ctx context.Context, typ, op string, ref, other keyRef, opts ...any) error {
	if endless[op] {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	m := reflect.ValueOf(ref).MethodByName(op)
	args, err := c.args(ctx, typ, op, m.Type(), 1, other, opts)
	if err != nil {
		return err
	}
	results := m.Call(append([]reflect.Value{reflect.ValueOf(&ctx).Elem()}, args...))
	last := results[len(results)-1]
	if last.Kind() != reflect.Func {
		return asError(last)
	}
	for _, err := range last.Seq2() { // read an iterator to its end
		if e := asError(err); e != nil {
			return e
		}
	}
	return nil
}

// queue adds an operation to a batch, and returns a function that returns the future's error.
func (c caller) queue(ctx context.Context, b *nest.Batch, typ, op string, ref, other keyRef) (func() error, error) {
	batch := reflect.ValueOf(ref).MethodByName("In").Call([]reflect.Value{reflect.ValueOf(b)})[0]
	m := batch.MethodByName(op)
	if !m.IsValid() {
		return nil, fmt.Errorf("%s.%s has no counterpart for batches", typ, op)
	}
	args, err := c.args(ctx, typ, op, m.Type(), 0, other, nil)
	if err != nil {
		return nil, err
	}
	future := m.Call(args)[0]
	return func() error { return asError(future.MethodByName("Err").Call(nil)[0]) }, nil
}

func asError(v reflect.Value) error {
	err, _ := reflect.TypeAssert[error](v)
	return err
}
