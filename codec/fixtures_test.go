package codec_test

import (
	"encoding/json"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
)

// fixture is a record of the files in testdata.
type fixture struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Base64 []byte `json:"raw_base64"`
	Raw    string `json:"raw"`
	Repr   string `json:"python_value_repr"`
	Error  string `json:"error"`
}

func fixtures(t *testing.T, file string) []fixture {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	var records []fixture
	require.NoError(t, json.Unmarshal(data, &records))
	require.NotEmpty(t, records)
	return records
}

func bigInt(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic(s)
	}
	return n
}

// TestPythonValues reads each value into an any, as what it was in Python, and writes the same
// bytes again.
func TestPythonValues(t *testing.T) {
	noon := time.Date(2024, 1, 2, 3, 4, 5, 0, codec.Naive)
	uuid := codec.UUID{0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78}
	want := map[string]any{
		"int_zero":            0,
		"int_neg":             -7,
		"int_int64_max":       math.MaxInt64,
		"int_2p64":            bigInt("18446744073709551616"),
		"float_one":           1.0,
		"float_neg_zero":      math.Copysign(0, -1),
		"float_1e16":          1e16,
		"float_pi":            math.Pi,
		"float_nan":           math.NaN(),
		"float_neg_inf":       math.Inf(-1),
		"bool_false":          false,
		"str_empty":           "",
		"str_quotes_controls": "q\"b\\s/n\nt\tz\x00e\x1f\x7f",
		"str_bmp":             "\u2603 Привет 日本",
		"str_lone_surrogate":  "\xed\xa0\x80",
		"str_jsonlike":        `{"__type__": "int", "value": 1}`,
		"list_mixed":          []any{1, 2.5, true, false, nil, "s"},
		"dict_empty":          codec.Dict{},
		"dict_order":          codec.Dict{{"z", 1}, {"a", 2}, {"m", 3}},
		"dict_unicode_key":    codec.Dict{{"ключ", "\u2603"}},
		"tuple_simple":        codec.Tuple{1, "a", nil},
		"datetime_naive_us":   noon.Add(678901 * time.Microsecond),
		"datetime_offset":     time.Date(2024, 1, 2, 3, 4, 5, 10000, time.FixedZone("", -5*3600-1800)),
		"datetime_max":        time.Date(9999, 12, 31, 23, 59, 59, 999999000, codec.Naive),
		"uuid_zero":           codec.UUID{},
		"tuple_datetime_uuid": codec.Tuple{noon, uuid},
		"dict_deep": codec.Dict{{"a", codec.Dict{{"b", codec.Dict{{"c", codec.Dict{{"d",
			[]any{codec.Dict{{"e", noon}}}}}}}}}}},
		"password_ascii":   "$2b$12$S.1uc2cULXnhPHhcaQHc4uxu57o/zTRTj7xDtHmQbE2ZaCi2AAyt6",
		"password_unicode": "$2b$12$XIrE.01FHmVH.W7gPex1h.Y6NfgZL3zjKVlZ75sZbnrvXOsEHSMAG",
		"password_none":    nil,
	}
	records := fixtures(t, "python_values.json")
	tested := 0
	for _, r := range records {
		t.Run(r.Name, func(t *testing.T) {
			name, v, err := codec.Unmarshal(r.Base64)
			require.NoError(t, err)
			require.Equal(t, r.Type, name)
			switch r.Name {
			case "secret_ascii", "secret_unicode", "secret_long": // package secure reads tokens
				require.Regexp(t, `^gAAAA[-_0-9A-Za-z]+=*$`, v)
			default:
				require.Contains(t, want, r.Name)
				sameAny(t, want[r.Name], v)
				tested++
			}
			again, raw, err := codec.Marshal(v)
			require.NoError(t, err)
			require.Equal(t, name, again)
			require.Equal(t, string(r.Base64), string(raw))

			typed, err := codec.For[any](codec.Tagged)
			require.NoError(t, err)
			v, err = typed.Decode(string(r.Base64))
			require.NoError(t, err)
			stored, err := typed.Encode(v)
			require.NoError(t, err)
			require.Equal(t, string(r.Base64), stored)

			name, err = codec.StoredType(codec.Tagged, r.Base64)
			require.NoError(t, err)
			require.Equal(t, r.Type, name)
		})
	}
	require.Equal(t, len(want), tested, "a wanted value has no record")
}

// sameAny is require.Equal, but it accepts NaN and distinguishes -0 from 0.
func sameAny(t *testing.T, want, got any) {
	t.Helper()
	if f, ok := want.(float64); ok {
		require.IsType(t, want, got)
		require.Equal(t, math.Float64bits(f), math.Float64bits(got.(float64)))
		return
	}
	require.Equal(t, want, got)
}

// TestPythonHazards reads values that Python can write but cannot read, or reads as something else.
// The result is what was stored, if that is certain, and otherwise an error.
func TestPythonHazards(t *testing.T) {
	want := map[string]any{
		"nested_tuple":               []any{[]any{1, 2}},
		"dict_int_keys":              codec.Dict{{"1", "a"}, {"2", "b"}},
		"dict_bool_key":              codec.Dict{{"true", 1}},
		"datetime_fold":              time.Date(2024, 10, 27, 2, 30, 0, 0, codec.Naive),
		"secret_passthrough_gAAAA":   "gAAAAnot a token",
		"dict_int_and_str_key_clash": errContains("a key that comes twice"),
		"dict_looks_like_datetime":   errContains("not one of a dict"),
		"nested_looks_like_none":     errContains(`not a dict of "__type__" and "value"`),
		"strenum":                    errContains("the type in __type__ is not known"),
		"ordereddict":                errContains("the type in __type__ is not known"),
		"counter":                    errContains("the type in __type__ is not known"),
	}
	records := fixtures(t, "python_values_hazards.json")
	require.Len(t, records, len(want))
	for _, r := range records {
		t.Run(r.Name, func(t *testing.T) {
			require.Contains(t, want, r.Name)
			name, v, err := codec.Unmarshal(r.Base64)
			if text, fails := want[r.Name].(errContains); fails {
				require.ErrorIs(t, err, codec.ErrDecode)
				require.ErrorContains(t, err, string(text))
				require.Nil(t, v)
			} else {
				require.NoError(t, err)
				require.Equal(t, want[r.Name], v)
				_, raw, err := codec.Marshal(v)
				require.NoError(t, err)
				require.Equal(t, string(r.Base64), string(raw))
				require.Equal(t, r.Type, name)
			}
			name, err = codec.StoredType(codec.Tagged, r.Base64)
			if r.Name == "dict_int_and_str_key_clash" {
				require.ErrorIs(t, err, codec.ErrDecode)
				return
			}
			require.NoError(t, err)
			require.Equal(t, r.Type, name)
		})
	}
	typed, err := codec.For[map[int]string](codec.Tagged)
	require.NoError(t, err)
	v, err := typed.Decode(`{"__type__": "dict", "value": {"1": "a", "2": "b"}}`)
	require.NoError(t, err)
	require.Equal(t, map[int]string{1: "a", 2: "b"}, v)
}

type errContains string

func TestPythonLegacy(t *testing.T) {
	for _, r := range fixtures(t, "python_values_legacy.json") {
		require.Equal(t, "[1, None, True]", r.Repr)
		name, v, err := codec.Unmarshal([]byte(r.Raw))
		require.NoError(t, err)
		require.Equal(t, "list", name)
		require.Equal(t, []any{1, nil, true}, v)
		_, raw, err := codec.Marshal(v)
		require.NoError(t, err)
		require.Equal(t, `{"__type__": "list", "value": [1, {"__type__": "none", "value": null}, true]}`, string(raw), "today's form")
	}
}

// TestPythonUnsupported checks that Go writes the values that Python refuses under names that
// Python does not know.
func TestPythonUnsupported(t *testing.T) {
	forms := map[string]struct {
		value any
		want  string
	}{
		"date":           {struct{ *time.Location }{}, ""}, // Go has no type for it
		"timedelta":      {24 * time.Hour, `{"__type__": "duration", "value": "24h0m0s"}`},
		"bytes":          {[]byte("bytes"), `{"__type__": "bytes", "value": "Ynl0ZXM="}`},
		"set":            {map[int]struct{}{1: {}}, `{"__type__": "set", "value": [1]}`},
		"complex":        {complex(1, 2), ""},
		"nested_date":    {[]any{struct{ *time.Location }{}}, ""},
		"nested_bytes":   {map[string][]byte{"x": []byte("1")}, `{"__type__": "dict", "value": {"x": {"__type__": "bytes", "value": "MQ=="}}}`},
		"dict_tuple_key": {map[[2]int]int{{1, 2}: 3}, ""},
	}
	records := fixtures(t, "python_values_unsupported.json")
	require.Len(t, records, len(forms))
	for _, r := range records {
		form, ok := forms[r.Name]
		require.True(t, ok, r.Name)
		require.Contains(t, r.Error, "TypeError")
		_, raw, err := codec.Marshal(form.value)
		if form.want == "" {
			require.ErrorIs(t, err, codec.ErrEncode, r.Name)
			continue
		}
		require.NoError(t, err, r.Name)
		require.Equal(t, form.want, string(raw))
		_, _, err = codec.Unmarshal(raw)
		require.NoError(t, err)
	}
}
