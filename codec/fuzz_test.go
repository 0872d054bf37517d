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
	"github.com/redisimnest/redisimnest/codec/gob"
)

// FuzzAuto decodes arbitrary bytes as each kind. What is decoded must be encoded again as an equal
// value.
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

// again decodes s and, if that succeeds, encodes the result and decodes it again.
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

// FuzzTagged decodes arbitrary bytes. Marshal must write what Unmarshal returns, and the result
// must then be stable.
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

// FuzzTimes encodes arbitrary times with arbitrary offsets. A codec must read what it wrote as the
// same instant with the same offset.
func FuzzTimes(f *testing.F) {
	f.Add(int64(0), 0, 0)
	f.Add(int64(-2208988800), 1000, -52) // the local time of Accra in 1900
	f.Add(int64(253402300799), 999999999, 23*3600+59*60+59)
	f.Add(int64(-62135596800), 1, -59)
	f.Fuzz(func(t *testing.T, second int64, nanosecond, east int) {
		v := time.Unix(second, int64(nanosecond)).In(time.FixedZone("", east))
		for _, c := range []codec.Codec{codec.Auto, codec.JSON, codec.Tagged} {
			data, err := c.Append(nil, v)
			if err != nil {
				require.ErrorIs(t, err, codec.ErrEncode)
				continue
			}
			var back time.Time
			require.NoError(t, c.Decode(data, &back), "%s: %s", c.Name(), data)
			same(t, v, back)
		}
	})
}

// FuzzAny reads arbitrary JSON into an any and writes it again. To a reader of exact numbers it
// must be the same JSON.
func FuzzAny(f *testing.F) {
	for _, s := range []string{"9007199254740993", "-9007199254740993", "[4244637855813302974, 18446744073709551616, 1e3, -0, 0.1]",
		`{"a": {"b": [9223372036854775807]}, "0123456789012345678": "0123456789012345678"}`, "12345678901234567890.5", "1e400", "null"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, c := range []codec.Codec{codec.JSON, codec.Auto} {
			typed, err := codec.For[any](c)
			require.NoError(t, err)
			v, err := typed.Decode(s)
			var plain any
			if json.Unmarshal([]byte(s), &plain) != nil {
				require.ErrorIs(t, err, codec.ErrDecode)
				return
			}
			if err != nil {
				require.ErrorIs(t, err, codec.ErrDecode) // an integer with very many digits
				return
			}
			stored, err := typed.Encode(v)
			require.NoError(t, err)
			var again any
			require.NoError(t, json.Unmarshal([]byte(stored), &again))
			require.Equal(t, plain, again)
			back, err := typed.Decode(stored)
			require.NoError(t, err)
			twice, err := typed.Encode(back)
			require.NoError(t, err)
			require.Equal(t, stored, twice)
		}
	})
}

func FuzzGob(f *testing.F) {
	for _, v := range []config{{}, {Name: "n", Tags: []string{"a"}, Limit: map[string]int{"x": 1}, Next: &config{}}} {
		data, err := gob.Codec.Append(nil, v)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v config
		if err := gob.Codec.Decode(data, &v); err != nil {
			require.ErrorIs(t, err, codec.ErrDecode)
			return
		}
		_, err := gob.Codec.Append(nil, v)
		require.NoError(t, err)
	})
}

func FuzzVersioned(f *testing.F) {
	c := codec.Versioned(codec.Upcoming(codec.JSON), gob.Codec, codec.Tagged, codec.Retired, codec.Unversioned(codec.Auto))
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
