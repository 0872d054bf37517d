// Package protobuf stores protocol buffer messages, through google.golang.org/protobuf.
package protobuf

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"

	"github.com/redisimnest/redisimnest/codec"
)

// Codec stores protocol buffer messages in the binary form. A key names the pointer that the
// generated code works with: Key[*pb.Account]. Fields that the message does not know are kept.
// A nil pointer has no form, since an empty message takes no bytes. Equal messages give equal
// bytes within one build of a program, not across builds.
//
// The form has no end of its own: of a message that was cut short between two fields, the
// fields before the cut are read.
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

// FixType remembers which message to make.
func (protoCodec) FixType(t reflect.Type) codec.Codec { return &fixed{message: t.Elem()} }

func (protoCodec) Append(dst []byte, v any) ([]byte, error) { return new(fixed).Append(dst, v) }

// nothingWritten tells an empty message from one that has no form.
func nothingWritten(out []byte, m proto.Message, err error) ([]byte, error) {
	switch {
	case err != nil:
		return nil, codec.EncodeError(name, m, "a required field is missing, or a string is not UTF-8")
	case !m.ProtoReflect().IsValid():
		return nil, codec.EncodeError(name, m, "a nil message has no form")
	}
	return out, nil
}

// Decode reads into a message, or into a pointer to one, for which it makes a new message.
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

// fixed is Codec for pointers to one type of message.
type fixed struct {
	protoCodec
	message reflect.Type
}

// Append is the same for all types of messages.
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
