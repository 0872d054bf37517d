// Package protobuf stores protocol buffer messages, through google.golang.org/protobuf.
package protobuf

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"

	"github.com/redisimnest/redisimnest/codec"
)

// Codec stores protocol buffer messages in the binary form. A key is declared with the pointer type
// of the generated code: Key[*pb.Account]. Fields that the message does not know are kept. A nil
// pointer has no form, since an empty message takes no bytes. Equal messages have equal bytes
// within one build of a program, but not across builds.
//
// The form does not mark its end: if a message was cut short between two fields, the fields before
// the cut are read.
var Codec codec.Codec = protoCodec{}

type protoCodec struct{}

const (
	notMessage = "it is not a protocol buffer message"
	notOfType  = "not a message of this type"
)

var (
	messageType = reflect.TypeFor[proto.Message]()
	unmarshal   = proto.UnmarshalOptions{Merge: true} // into a new message, which needs no reset
)

const name = "protobuf"

func (protoCodec) Name() string { return name }

// CheckType accepts pointers to generated messages.
func (protoCodec) CheckType(t reflect.Type) error {
	switch {
	case t.Kind() == reflect.Pointer && t.Implements(messageType):
		return nil
	case reflect.PointerTo(t).Implements(messageType):
		return fmt.Errorf("messages are handled by pointer: use *%s", t)
	}
	return fmt.Errorf("%s is not a protocol buffer message", t)
}

// AnyBytes returns true: a message may begin with any field, including unknown ones; see
// [codec.Versioned].
func (protoCodec) AnyBytes(reflect.Type) bool { return true }

// Shape is opaque: messages keep what they do not know, and evolve by the numbers of their fields.
func (protoCodec) Shape(t reflect.Type) (codec.Shape, error) {
	m := t.Elem()
	return codec.Shape{Kind: "opaque", Name: m.PkgPath() + "." + m.Name()}, nil
}

// FixType returns Codec for messages of type t, so that it need not look up which message to make.
func (protoCodec) FixType(t reflect.Type) codec.Codec { return &fixed{message: t.Elem()} }

func (protoCodec) Append(dst []byte, v any) ([]byte, error) { return new(fixed).Append(dst, v) }

// nothingWritten distinguishes an empty message from one that has no form.
func nothingWritten(out []byte, m proto.Message, err error) ([]byte, error) {
	switch {
	case err != nil:
		return nil, codec.EncodeError(name, m, "a required field is missing, or a string is not UTF-8")
	case !m.ProtoReflect().IsValid():
		return nil, codec.EncodeError(name, m, "a nil message has no form")
	}
	return out, nil
}

// Decode reads into a message. If v points to a pointer to a message, it makes a new message.
func (c protoCodec) Decode(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return codec.DecodeError(c.Name(), v, data, "the target is not a pointer to a value")
	}
	if p.Elem().Kind() != reflect.Pointer {
		m, ok := v.(proto.Message)
		if !ok {
			return codec.DecodeError(c.Name(), v, data, notMessage)
		}
		if proto.Unmarshal(data, m) != nil {
			return codec.DecodeError(c.Name(), v, data, notOfType)
		}
		return nil
	}
	m, err := (&fixed{message: p.Type().Elem().Elem()}).Make(data)
	if err != nil {
		return err
	}
	p.Elem().Set(reflect.ValueOf(m))
	return nil
}

// fixed is Codec fixed to pointers to one type of message.
type fixed struct {
	protoCodec
	message reflect.Type
}

// Append works the same for all types of messages.
func (*fixed) Append(dst []byte, v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, codec.EncodeError(name, v, notMessage)
	}
	out, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, m)
	if err != nil || len(out) == len(dst) {
		return nothingWritten(out, m, err)
	}
	return out, nil
}

// Make reads into a new message.
func (f *fixed) Make(data []byte) (any, error) {
	v := reflect.New(f.message).Interface()
	m, ok := v.(proto.Message)
	if !ok {
		return nil, codec.DecodeError(f.Name(), v, data, notMessage)
	}
	if unmarshal.Unmarshal(data, m) != nil {
		return nil, codec.DecodeError(f.Name(), v, data, notOfType)
	}
	return v, nil
}
