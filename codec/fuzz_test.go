package codec_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
)

// FuzzAuto decodes any bytes as each kind: what is decoded is encoded again as an equal value.
func FuzzAuto(f *testing.F) {
	for _, s := range []string{"", "0", "-1", "18446744073709551615", "1e+06", "NaN", "-Inf", "0.1", "1", "2024-01-02T03:04:05.6Z",
		"2024-01-02T03:04:05-05:30", "!!!", `{"X":1}`, "null", "[1,2]", "01", "1e-400", "2024-01-02T03:04:05.Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		again[string](t, codec.Auto, s)
		again[[]byte](t, codec.Auto, s)
		again[int](t, codec.Auto, s)
		again[int8](t, codec.Auto, s)
		again[uint16](t, codec.Auto, s)
		again[float64](t, codec.Auto, s)
		again[float32](t, codec.Auto, s)
		again[bool](t, codec.Auto, s)
		again[time.Time](t, codec.Auto, s)
		again[level](t, codec.Auto, s)
		again[*point](t, codec.Auto, s)
		again[map[string][]int](t, codec.Auto, s)
	})
}

// again decodes s, and if that succeeds encodes it and decodes that.
func again[T any](t *testing.T, c codec.Codec, s string) {
	typed, err := codec.For[T](c)
	require.NoError(t, err)
	v, err := typed.Decode(s)
	if err != nil {
		require.ErrorIs(t, err, codec.ErrDecode)
		return
	}
	stored, err := typed.Encode(v)
	require.NoError(t, err)
	back, err := typed.Decode(stored)
	require.NoError(t, err)
	twice, err := typed.Encode(back)
	require.NoError(t, err)
	require.Equal(t, stored, twice)
}

// FuzzTagged decodes any bytes: what Unmarshal gives, Marshal writes, and then it stays so.
func FuzzTagged(f *testing.F) {
	files, err := filepath.Glob("testdata/python_values*.json")
	require.NoError(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		var records []fixture
		require.NoError(f, json.Unmarshal(data, &records))
		for _, r := range records {
			f.Add(append(r.Base64, r.Raw...))
		}
	}
	for _, s := range []string{envelope("set", `["a", 1]`), envelope("bytes", `"+/8="`), envelope("duration", `"1m30s"`), envelope("float", "1E5"),
		envelope("dict", `{"a": {"__type__": "uuid", "value": "12345678-1234-5678-1234-567812345678"}}`), envelope("str", `"\ud83d\ude00\udfff"`)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		name, v, err := codec.Unmarshal(data)
		require.Equal(t, before, data)
		if err != nil {
			require.ErrorIs(t, err, codec.ErrDecode)
			return
		}
		wrote, raw, err := codec.Marshal(v)
		require.NoError(t, err)
		require.Equal(t, name, wrote)
		_, v, err = codec.Unmarshal(raw)
		require.NoError(t, err)
		_, twice, err := codec.Marshal(v)
		require.NoError(t, err)
		require.Equal(t, string(raw), string(twice))
		again[account](t, codec.Tagged, string(data))
		again[[]map[string]time.Time](t, codec.Tagged, string(data))
	})
}

func FuzzGob(f *testing.F) {
	for _, v := range []config{{}, {Name: "n", Tags: []string{"a"}, Limit: map[string]int{"x": 1}, Next: &config{}}} {
		data, err := codec.Gob.Append(nil, v)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v config
		if err := codec.Gob.Decode(data, &v); err != nil {
			require.ErrorIs(t, err, codec.ErrDecode)
			return
		}
		_, err := codec.Gob.Append(nil, v)
		require.NoError(t, err)
	})
}

func FuzzVersioned(f *testing.F) {
	c := codec.Versioned(codec.Upcoming(codec.JSON), codec.Gob, codec.Tagged, codec.Retired, codec.Unversioned(codec.Auto))
	for _, s := range []string{"", "text", "\xC1", "\xC1V", "\xC1V\x01x", "\xC1V\x02" + envelope("str", `"a"`), "\xC1V\x03\x04\x0c\x00\x01a", "\xC1V\x09"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		again[string](t, c, s)
		_, err := codec.StoredType(c, []byte(s))
		if err != nil {
			require.ErrorIs(t, err, codec.ErrDecode)
		}
	})
}
