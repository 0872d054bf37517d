package bench

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/bytedance/sonic"
	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/typepb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/redisimnest/redisimnest/codec"
	cborcodec "github.com/redisimnest/redisimnest/codec/cbor"
	gobcodec "github.com/redisimnest/redisimnest/codec/gob"
	msgpackcodec "github.com/redisimnest/redisimnest/codec/msgpack"
	protocodec "github.com/redisimnest/redisimnest/codec/protobuf"
	soniccodec "github.com/redisimnest/redisimnest/codec/sonic"
	zstdcodec "github.com/redisimnest/redisimnest/codec/zstd"
)

// stored is the struct of ten fields with which the codecs are measured.
type stored struct {
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	Email   string    `json:"email"`
	Age     int       `json:"age"`
	Score   float64   `json:"score"`
	Active  bool      `json:"active"`
	Created time.Time `json:"created"`
	Country string    `json:"country"`
	Visits  int64     `json:"visits"`
	Balance float64   `json:"balance"`
}

// The values, by kind.
var (
	storedInt    = 1234567890
	storedString = "The quick brown fox jumps over the lazy dog"
	storedStruct = stored{
		ID: 1234567890, Name: "Ali Veli", Email: "ali@example.com", Age: 42, Score: 98.25, Active: true,
		Created: time.Date(2024, 1, 2, 3, 4, 5, 678901000, time.UTC), Country: "TR", Visits: 1024, Balance: 1999.99,
	}
	storedSlice = func() []int64 {
		s := make([]int64, 100)
		for i := range s {
			s[i] = int64(i) * 7919
		}
		return s
	}()
)

// BenchmarkRatioCodec encodes and decodes each value with each codec and, alternately, with the
// bare library under the codec, with the same options. It also reports how large the value is
// (bytes).
func BenchmarkRatioCodec(b *testing.B) {
	b.Run("auto", func(b *testing.B) {
		b.Run("int", func(b *testing.B) {
			compare(b, codec.Auto, storedInt, byHand[int, string]{
				func(v int) (string, error) { return strconv.FormatInt(int64(v), 10), nil },
				func(data string) (int, error) {
					n, err := strconv.ParseInt(data, 10, 64)
					return int(n), err
				},
			})
		})
		// There is nothing to do for a string, so two empty calls are compared.
		b.Run("string", func(b *testing.B) {
			compare(b, codec.Auto, storedString, byHand[string, string]{
				func(v string) (string, error) { return v, nil },
				func(data string) (string, error) { return data, nil },
			})
		})
		b.Run("struct", func(b *testing.B) { compareKind(b, codec.Auto, jsonLibrary, storedStruct) })
		b.Run("slice", func(b *testing.B) { compareKind(b, codec.Auto, jsonLibrary, storedSlice) })
	})
	b.Run("json", func(b *testing.B) { compareAll(b, codec.JSON, jsonLibrary) })
	b.Run("gob", func(b *testing.B) { compareAll(b, gobcodec.Codec, library{gobMarshal, gobUnmarshal}) })
	b.Run("msgpack", func(b *testing.B) {
		compareAll(b, msgpackcodec.Codec, library{msgpackMarshal, msgpackUnmarshal})
	})
	b.Run("cbor", func(b *testing.B) { compareAll(b, cborcodec.Codec, cborLibrary(b)) })
	b.Run("sonic", func(b *testing.B) {
		compareAll(b, soniccodec.Codec, sonicLibrary)
	})
	b.Run("zstd", func(b *testing.B) { compareAll(b, zstdcodec.Wrap(codec.JSON), zstdLibrary(b)) })
	b.Run("versioned", func(b *testing.B) { compareAll(b, codec.Versioned(codec.JSON), versionedLibrary) })
	b.Run("tagged", compareTagged)
	b.Run("protobuf", compareProto)
}

// byHand is how a library handles values of type T, stored in an S.
type byHand[T, S any] struct {
	marshal   func(T) (S, error)
	unmarshal func(S) (T, error)
}

// library is how a library handles values of any type.
type library struct {
	marshal   func(any) ([]byte, error)
	unmarshal func([]byte, any) error
}

var jsonLibrary = library{json.Marshal, json.Unmarshal}

// sonicLibrary has the options of the codec.
var sonicLibrary = func() library {
	api := sonic.Config{
		EscapeHTML:            true,
		SortMapKeys:           true,
		CompactMarshaler:      true,
		CopyString:            true,
		ValidateString:        true,
		DisallowUnknownFields: true,
		CaseSensitive:         true,
	}.Froze()
	return library{api.Marshal, api.Unmarshal}
}()

func compareAll(b *testing.B, c codec.Codec, l library) {
	b.Run("int", func(b *testing.B) { compareKind(b, c, l, storedInt) })
	b.Run("string", func(b *testing.B) { compareKind(b, c, l, storedString) })
	b.Run("struct", func(b *testing.B) { compareKind(b, c, l, storedStruct) })
	b.Run("slice", func(b *testing.B) { compareKind(b, c, l, storedSlice) })
}

func compareKind[T any](b *testing.B, c codec.Codec, l library, v T) {
	compare(b, c, v, byHand[T, []byte]{
		func(v T) ([]byte, error) { return l.marshal(v) },
		func(data []byte) (v T, err error) {
			err = l.unmarshal(data, &v)
			return v, err
		},
	})
}

// compare runs the codec and the library on v. The library decodes its own output.
func compare[T any, S ~string | ~[]byte](b *testing.B, c codec.Codec, v T, l byHand[T, S]) {
	typed, err := codec.For[T](c)
	require.NoError(b, err)
	stored, err := typed.Encode(v)
	require.NoError(b, err)
	data, err := l.marshal(v)
	require.NoError(b, err)
	b.Run("encode", func(b *testing.B) {
		inTurns(b, func() (err error) {
			_, err = typed.Encode(v)
			return err
		}, func() (err error) {
			_, err = l.marshal(v)
			return err
		})
		b.ReportMetric(float64(len(stored)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		inTurns(b, func() (err error) {
			_, err = typed.Decode(stored)
			return err
		}, func() (err error) {
			_, err = l.unmarshal(data)
			return err
		})
	})
}

// inTurns measures two ways of doing the same work, each for at least a millisecond before the
// other's turn.
func inTurns(b *testing.B, codec, bare func() error) {
	b.Helper()
	calls := func(do func() error) func(n int) {
		return inLine(b.Context(), b, func(context.Context) error { return do() })
	}
	n := 16
	for {
		start := time.Now()
		if calls(bare)(n); time.Since(start) >= time.Millisecond {
			break
		}
		n *= 2
	}
	ratio(b, calls(codec), calls(bare), n)
}

func gobMarshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	err := gob.NewEncoder(&buf).Encode(v)
	return buf.Bytes(), err
}

func gobUnmarshal(data []byte, v any) error { return gob.NewDecoder(bytes.NewReader(data)).Decode(v) }

func msgpackMarshal(v any) ([]byte, error) {
	e := msgpack.GetEncoder()
	defer msgpack.PutEncoder(e)
	var buf bytes.Buffer
	e.Reset(&buf)
	e.SetCustomStructTag("json")
	e.SetSortMapKeys(true)
	e.UseCompactInts(true)
	err := e.Encode(v)
	return buf.Bytes(), err
}

func msgpackUnmarshal(data []byte, v any) error {
	d := msgpack.GetDecoder()
	defer msgpack.PutDecoder(d)
	d.Reset(bytes.NewReader(data))
	d.SetCustomStructTag("json")
	d.UsePreallocateValues(true)
	d.UseLooseInterfaceDecoding(true)
	return d.Decode(v)
}

func cborLibrary(b *testing.B) library {
	options := cbor.CoreDetEncOptions()
	options.Time = cbor.TimeRFC3339Nano
	enc, err := options.EncMode()
	require.NoError(b, err)
	dec, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		IntDec:           cbor.IntDecConvertSignedOrBigInt,
		DefaultMapType:   reflect.TypeFor[map[string]any](),
		UTF8:             cbor.UTF8DecodeInvalid,
		MaxArrayElements: 1<<31 - 1,
		MaxMapPairs:      1<<31 - 1,
		MaxNestedLevels:  1000,
	}.DecMode()
	require.NoError(b, err)
	return library{enc.Marshal, dec.Unmarshal}
}

// versionedLibrary puts the codec's three bytes in front of the output of encoding/json. In front
// of most values there is room for them.
var versionedLibrary = func() library {
	const mark = "\xC1V\x01"
	marshal := func(v any) ([]byte, error) {
		data, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		return slices.Insert(data, 0, mark[0], mark[1], mark[2]), nil
	}
	unmarshal := func(data []byte, v any) error {
		data, ok := bytes.CutPrefix(data, []byte(mark))
		if !ok {
			return errors.New("another version")
		}
		return json.Unmarshal(data, v)
	}
	return library{marshal, unmarshal}
}()

// zstdLibrary compresses values that are longer than the codec's threshold. The first byte says
// whether a value is compressed, as it must if any bytes can be stored.
func zstdLibrary(b *testing.B) library {
	enc, err := zstd.NewWriter(nil)
	require.NoError(b, err)
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0))
	require.NoError(b, err)
	marshal := func(v any) ([]byte, error) {
		data, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		if len(data) <= 512 {
			return slices.Insert(data, 0, 0), nil
		}
		return enc.EncodeAll(data, append(make([]byte, 0, len(data)), 1)), nil
	}
	unmarshal := func(data []byte, v any) error {
		if len(data) == 0 {
			return errors.New("no bytes")
		}
		compressed, data := data[0] == 1, data[1:]
		if compressed {
			var err error
			if data, err = dec.DecodeAll(data, nil); err != nil {
				return err
			}
		}
		return json.Unmarshal(data, v)
	}
	return library{marshal, unmarshal}
}

// compareProto uses messages as the values.
func compareProto(b *testing.B) {
	paths := make([]string, len(storedSlice))
	for i, n := range storedSlice {
		paths[i] = strconv.FormatInt(n, 10)
	}
	b.Run("int", func(b *testing.B) { compareMessage(b, wrapperspb.Int64(int64(storedInt))) })
	b.Run("string", func(b *testing.B) { compareMessage(b, wrapperspb.String(storedString)) })
	b.Run("struct", func(b *testing.B) {
		compareMessage(b, &typepb.Field{
			Kind: typepb.Field_TYPE_INT64, Cardinality: typepb.Field_CARDINALITY_OPTIONAL, Number: 42, Name: storedStruct.Name,
			TypeUrl: storedStruct.Email, OneofIndex: 1024, Packed: true, JsonName: "AliVeli", DefaultValue: "1999.99",
			Options: []*typepb.Option{{Name: "score", Value: &anypb.Any{TypeUrl: "TR"}}},
		})
	})
	b.Run("slice", func(b *testing.B) { compareMessage(b, &fieldmaskpb.FieldMask{Paths: paths}) })
}

func compareMessage[M any, P interface {
	*M
	proto.Message
}](b *testing.B, m P) {
	deterministic := proto.MarshalOptions{Deterministic: true}
	compare(b, protocodec.Codec, m, byHand[P, []byte]{
		func(m P) ([]byte, error) { return deterministic.Marshal(m) },
		func(data []byte) (P, error) {
			m := P(new(M))
			return m, proto.Unmarshal(data, m)
		},
	})
}
