package gorediscache_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/codectest"
	"github.com/redisimnest/redisimnest/codec/gorediscache"
)

type (
	page struct {
		Title string `json:"title"`
		Body  string `msgpack:"body"`
		Views int
		At    time.Time
		Tags  []string
		Next  *page
	}
	colour string
)

// values are what testdata/vectors.json holds, by the names that it has there.
func values() map[string]any {
	at := time.Date(2024, 2, 29, 12, 0, 0, 5, time.UTC)
	return map[string]any{
		"string": "plain text", "empty string": "", "bytes": []byte{0, 1, 255}, "int": 7, "negative": -300, "float": 1.5, "bool": true,
		"named string": colour("red"), "time": at, "list": []string{"a", "b"}, "map": map[string]int{"a": 1},
		"struct": page{Title: "t", Body: "b", Views: 3, At: at, Tags: []string{"x"}},
		"long":   page{Title: "again again again again again again again again again again again", Next: &page{Views: 1, At: at}, At: at},
		"noise":  []uint32{2463534242, 723471715, 2497366906, 2064144800, 2008045182, 3532304609, 374114282, 1350636274, 691148861, 2858459654, 3693829041, 4023109153},
	}
}

func TestConformance(t *testing.T) {
	codectest.Run(t, gorediscache.Codec, codectest.Unordered(), codectest.Instants(), codectest.NilIsEmpty(),
		codectest.Values(nil, strings.Repeat("the same again ", 100)), codectest.Values(nil, []string{strings.Repeat("the same again ", 100)}))
}

// The vectors are what go-redis/cache stored: examples/gorediscache makes them.
func TestReadsWhatTheLibraryStored(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var vectors map[string]string
	require.NoError(t, json.Unmarshal(text, &vectors))
	all := values()
	require.Len(t, vectors, len(all))
	for name, want := range all {
		stored, err := base64.StdEncoding.DecodeString(vectors[name])
		require.NoError(t, err)
		got := reflect.New(reflect.TypeOf(want))
		require.NoError(t, codec.FixType(gorediscache.Codec, reflect.TypeOf(want)).Decode(stored, got.Interface()), name)
		requireSame(t, want, got.Elem().Interface(), name)
		ours, err := gorediscache.Codec.Append(nil, want)
		require.NoError(t, err)
		require.Equal(t, string(stored), string(ours), "%s: the same bytes are written", name)
	}
}

func requireSame(t *testing.T, want, got any, name string) {
	t.Helper()
	one, err := json.Marshal(want)
	require.NoError(t, err)
	two, err := json.Marshal(utc(got))
	require.NoError(t, err)
	require.JSONEq(t, string(one), string(two), name)
}

// utc returns a value with its times in UTC, where they are compared.
func utc(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC()
	case page:
		v.At = v.At.UTC()
		if v.Next != nil {
			next := utc(*v.Next).(page)
			v.Next = &next
		}
		return v
	}
	return v
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"empty": "", "another mark": "\x07\x02", "only a mark": "\x00", "no S2": "\x07\x01", "only the mark of S2": "\x01",
		"a size too large": "\xff\xff\xff\xff\x0f\x00\x01", "more than one value": "\x07\x07\x00", "cut short": "\xcd\x01\x00",
	} {
		require.ErrorIs(t, gorediscache.Codec.Decode([]byte(data), new(int)), codec.ErrDecode, name)
	}
	require.ErrorContains(t, codec.CheckType(gorediscache.Codec, reflect.TypeFor[any]()), "declare the type")
	_, err := codec.For[page](codec.Versioned(codec.JSON, codec.Unversioned(gorediscache.Codec)))
	require.ErrorContains(t, err, "may begin with any bytes")
	require.PanicsWithValue(t, "codec: Fingerprinted: gorediscache stores what other programs read as it is",
		func() { codec.Fingerprinted(gorediscache.Codec) })
	_, err = gorediscache.Codec.Append(nil, []string{strings.Repeat("x", 65<<20)})
	require.ErrorIs(t, err, codec.ErrEncode)
}

func TestShapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		of   reflect.Type
		want string
	}{
		{reflect.TypeFor[string](), "string"},
		{reflect.TypeFor[[]byte](), "bytes"},
		{reflect.TypeFor[colour](), "string"},
		{reflect.TypeFor[struct {
			Title string `json:"title"`
			Body  int    `msgpack:"body"`
		}](), `{"Title":string,"body":int}`},
	} {
		shape, err := codec.ShapeOf(gorediscache.Codec, c.of)
		require.NoError(t, err)
		require.Equal(t, c.want, shape.String())
	}
}

// FuzzDecode: no bytes make it panic, and what is read is read again after it was written.
func FuzzDecode(f *testing.F) {
	for _, v := range values() {
		data, err := gorediscache.Codec.Append(nil, v)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte{})
	f.Add([]byte("\xff\xff\xff\xff\x0f\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, target := range []any{new(string), new([]byte), new(int8), new(page), new(map[string]any), new(*page)} {
			if err := gorediscache.Codec.Decode(data, target); err != nil {
				require.ErrorIs(t, err, codec.ErrDecode)
				continue
			}
			if _, err := gorediscache.Codec.Append(nil, reflect.ValueOf(target).Elem().Interface()); err != nil {
				require.ErrorIs(t, err, codec.ErrEncode)
			}
		}
	})
}
