package bench

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/zstd"
	"github.com/vmihailenco/msgpack/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/typepb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/redisimnest/redisimnest/codec"
	cborcodec "github.com/redisimnest/redisimnest/codec/cbor"
	msgpackcodec "github.com/redisimnest/redisimnest/codec/msgpack"
	protocodec "github.com/redisimnest/redisimnest/codec/protobuf"
	zstdcodec "github.com/redisimnest/redisimnest/codec/zstd"
)

// stored is the struct of ten fields that the codecs are measured on.
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

// BenchmarkCodec encodes and decodes each value with each codec ("codec"), and with the library
// that it stands on as its documentation shows it ("bare"). Encoding also reports the size.
func BenchmarkCodec(b *testing.B) {
	b.Run("auto", func(b *testing.B) {
		b.Run("int", func(b *testing.B) {
			compare(b, codec.Auto, storedInt,
				func(v int) ([]byte, error) { return []byte(strconv.Itoa(v)), nil },
				func(data []byte, v *int) (err error) { *v, err = strconv.Atoi(string(data)); return err })
		})
		b.Run("string", func(b *testing.B) {
			compare(b, codec.Auto, storedString,
				func(v string) ([]byte, error) { return []byte(v), nil },
				func(data []byte, v *string) error { *v = string(data); return nil })
		})
		compareAll(b, codec.Auto, json.Marshal, json.Unmarshal, kinds{structs: true, slices: true})
	})
	all := kinds{true, true, true, true}
	b.Run("json", func(b *testing.B) { compareAll(b, codec.JSON, json.Marshal, json.Unmarshal, all) })
	b.Run("gob", func(b *testing.B) { compareAll(b, codec.Gob, gobMarshal, gobUnmarshal, all) })
	b.Run("msgpack", func(b *testing.B) {
		compareAll(b, msgpackcodec.Codec, msgpack.Marshal, msgpack.Unmarshal, all)
	})
	b.Run("cbor", func(b *testing.B) { compareAll(b, cborcodec.Codec, cborMarshal(b), cbor.Unmarshal, all) })
	b.Run("zstd", func(b *testing.B) {
		marshal, unmarshal := zstdJSON(b)
		compareAll(b, zstdcodec.Wrap(codec.JSON), marshal, unmarshal, all)
	})
	// Tagged stands on nothing: encoding/json is there to compare with.
	b.Run("tagged", func(b *testing.B) { compareAll(b, codec.Tagged, json.Marshal, json.Unmarshal, all) })
	b.Run("versioned", func(b *testing.B) {
		compareAll(b, codec.Versioned(codec.JSON), json.Marshal, json.Unmarshal, all)
	})
	b.Run("protobuf", compareProto)
}

// kinds are the values to compare with.
type kinds struct{ ints, strings, structs, slices bool }

func compareAll(b *testing.B, c codec.Codec, marshal func(any) ([]byte, error), unmarshal func([]byte, any) error, of kinds) {
	if of.ints {
		b.Run("int", func(b *testing.B) { compare(b, c, storedInt, boxing[int](marshal), pointing[int](unmarshal)) })
	}
	if of.strings {
		b.Run("string", func(b *testing.B) {
			compare(b, c, storedString, boxing[string](marshal), pointing[string](unmarshal))
		})
	}
	if of.structs {
		b.Run("struct", func(b *testing.B) {
			compare(b, c, storedStruct, boxing[stored](marshal), pointing[stored](unmarshal))
		})
	}
	if of.slices {
		b.Run("slice", func(b *testing.B) {
			compare(b, c, storedSlice, boxing[[]int64](marshal), pointing[[]int64](unmarshal))
		})
	}
}

func boxing[T any](marshal func(any) ([]byte, error)) func(T) ([]byte, error) {
	return func(v T) ([]byte, error) { return marshal(v) }
}

func pointing[T any](unmarshal func([]byte, any) error) func([]byte, *T) error {
	return func(data []byte, v *T) error { return unmarshal(data, v) }
}

// compare runs the codec and the library on v. The library decodes what it wrote itself.
func compare[T any](b *testing.B, c codec.Codec, v T, marshal func(T) ([]byte, error), unmarshal func([]byte, *T) error) {
	typed, err := codec.For[T](c)
	if err != nil {
		b.Fatal(err)
	}
	text, err := typed.Encode(v)
	if err != nil {
		b.Fatal(err)
	}
	data, err := marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode/codec", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := typed.Encode(v); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(text)), "bytes")
	})
	b.Run("encode/bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := marshal(v); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(data)), "bytes")
	})
	b.Run("decode/codec", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := typed.Decode(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode/bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v T
			if err := unmarshal(data, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func gobMarshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	err := gob.NewEncoder(&buf).Encode(v)
	return buf.Bytes(), err
}

func gobUnmarshal(data []byte, v any) error { return gob.NewDecoder(bytes.NewReader(data)).Decode(v) }

// cborMarshal keeps what the codec keeps of a time, which the library's default does not.
func cborMarshal(b *testing.B) func(any) ([]byte, error) {
	options := cbor.CoreDetEncOptions()
	options.Time = cbor.TimeRFC3339Nano
	mode, err := options.EncMode()
	if err != nil {
		b.Fatal(err)
	}
	return mode.Marshal
}

// zstdJSON compresses what is longer than the codec's threshold.
func zstdJSON(b *testing.B) (func(any) ([]byte, error), func([]byte, any) error) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		b.Fatal(err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0))
	if err != nil {
		b.Fatal(err)
	}
	marshal := func(v any) ([]byte, error) {
		data, err := json.Marshal(v)
		if err != nil || len(data) <= 512 {
			return data, err
		}
		return enc.EncodeAll(data, make([]byte, 0, len(data))), nil
	}
	unmarshal := func(data []byte, v any) error {
		if bytes.HasPrefix(data, []byte("\x28\xb5\x2f\xfd")) {
			var err error
			if data, err = dec.DecodeAll(data, nil); err != nil {
				return err
			}
		}
		return json.Unmarshal(data, v)
	}
	return marshal, unmarshal
}

// compareProto has messages in the place of the values.
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
	compare(b, protocodec.Codec, m,
		func(m P) ([]byte, error) { return deterministic.Marshal(m) },
		func(data []byte, m *P) error {
			*m = new(M)
			return proto.Unmarshal(data, *m)
		})
}
