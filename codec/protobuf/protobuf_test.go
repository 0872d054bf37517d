package protobuf_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/codectest"
	"github.com/redisimnest/redisimnest/codec/protobuf"
)

func document(t testing.TB) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(map[string]any{"name": "Ali", "tags": []any{"a", 1.5, true, nil}, "inner": map[string]any{"k": "v"}})
	require.NoError(t, err)
	return s
}

func equal[M proto.Message](a, b M) bool { return proto.Equal(a, b) }

func TestConformance(t *testing.T) {
	codectest.Run(t, protobuf.Codec,
		codectest.Values(equal, document(t), &structpb.Struct{Fields: map[string]*structpb.Value{"z": structpb.NewNullValue()}}),
		codectest.Values(equal, wrapperspb.String("text")),
		codectest.Values(equal, wrapperspb.Bytes([]byte{0, 255})),
		codectest.Values(equal, timestamppb.New(timestamppb.Now().AsTime())),
		codectest.Values(equal, &fieldmaskpb.FieldMask{Paths: []string{"a.b", "c"}}),
	)
}

func TestTypes(t *testing.T) {
	require.NoError(t, codec.CheckType(protobuf.Codec, reflect.TypeFor[*structpb.Struct]()))
	require.ErrorContains(t, codec.CheckType(protobuf.Codec, reflect.TypeFor[structpb.Struct]()), "use *structpb.Struct")
	require.ErrorContains(t, codec.CheckType(protobuf.Codec, reflect.TypeFor[int]()), "int is not a protocol buffer message")
	require.Error(t, codec.CheckType(protobuf.Codec, reflect.TypeFor[proto.Message]()))
}

// TestBeforeVersions tries a message that begins like a versioned value: with a field 1384 of eight
// bytes, which its type need not know.
func TestBeforeVersions(t *testing.T) {
	m := &emptypb.Empty{}
	m.ProtoReflect().SetUnknown([]byte("\xc1V\x01\x00\x00\x00\x00\x00\x00\x00"))
	data, err := protobuf.Codec.Append(nil, m)
	require.NoError(t, err)
	require.Equal(t, "\xc1V\x01", string(data[:3]))
	old := codec.Versioned(protobuf.Codec, codec.Unversioned(protobuf.Codec))
	require.ErrorContains(t, codec.CheckType(old, reflect.TypeFor[*emptypb.Empty]()), "may begin with any bytes")
	require.NoError(t, codec.CheckType(codec.Versioned(protobuf.Codec), reflect.TypeFor[*emptypb.Empty]()))
}

func TestNoForm(t *testing.T) {
	for _, v := range []any{nil, 1, "text", (*structpb.Struct)(nil), wrapperspb.String("\xff")} {
		_, err := protobuf.Codec.Append(nil, v)
		require.ErrorIs(t, err, codec.ErrEncode)
	}
	for _, target := range []any{new(int), new(string), new(*int), structpb.Struct{}} {
		require.ErrorIs(t, protobuf.Codec.Decode(nil, target), codec.ErrDecode)
	}
}

func TestIntoAMessage(t *testing.T) {
	data, err := protobuf.Codec.Append(nil, document(t))
	require.NoError(t, err)
	var s structpb.Struct
	require.NoError(t, protobuf.Codec.Decode(data, &s))
	require.True(t, proto.Equal(document(t), &s))
}

func FuzzDecode(f *testing.F) {
	data, err := protobuf.Codec.Append(nil, document(f))
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte("\x0a\xff\xff\xff\xff\x07"))
	typed, err := codec.For[*structpb.Struct](protobuf.Codec)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := typed.Decode(string(data))
		if err != nil {
			require.ErrorIs(t, err, codec.ErrDecode)
			return
		}
		stored, err := typed.Encode(v)
		require.NoError(t, err)
		back, err := typed.Decode(stored)
		require.NoError(t, err)
		again, err := typed.Encode(back)
		require.NoError(t, err)
		require.Equal(t, stored, again)
	})
}
