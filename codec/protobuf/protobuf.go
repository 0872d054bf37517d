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

const notMessage = "it is not a protocol buffer message"

var (
	messageType = reflect.TypeFor[proto.Message]()
	marshal     = proto.MarshalOptions{Deterministic: true}
)

func (protoCodec) Name() string { return "protobuf" }

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

func (c protoCodec) Append(dst []byte, v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, codec.EncodeError(c.Name(), v, notMessage)
	}
	if rv := reflect.ValueOf(m); rv.Kind() == reflect.Pointer && rv.IsNil() {
		return nil, codec.EncodeError(c.Name(), v, "a nil message has no form")
	}
	out, err := marshal.MarshalAppend(dst, m)
	if err != nil {
		return nil, codec.EncodeError(c.Name(), v, "a required field is missing, or a string is not UTF-8")
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
		return c.decode(data, m, v)
	}
	fresh := reflect.New(p.Type().Elem().Elem())
	m, ok := reflect.TypeAssert[proto.Message](fresh)
	if !ok {
		return codec.DecodeError(c.Name(), v, data, notMessage)
	}
	if err := c.decode(data, m, v); err != nil {
		return err
	}
	p.Elem().Set(fresh)
	return nil
}

func (c protoCodec) decode(data []byte, m proto.Message, target any) error {
	if err := proto.Unmarshal(data, m); err != nil {
		return codec.DecodeError(c.Name(), target, data, "not a message of this type")
	}
	return nil
}
