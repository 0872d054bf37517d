package sonic_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/codectest"
	"github.com/redisimnest/redisimnest/codec/sonic"
)

func TestConformance(t *testing.T) {
	codectest.Run(t, sonic.Codec, codectest.Values(nil, sample()), codectest.Values(nil, []document{sample(), {}}), codectest.Values(nil, []counted{{}}))
}

func TestConformanceFingerprinted(t *testing.T) {
	codectest.Run(t, codec.Fingerprinted(sonic.Codec))
}

type (
	label    string
	document struct {
		ID      int64     `json:"id"`
		Small   uint16    `json:"small"`
		Title   string    `json:"title"`
		Score   float64   `json:"score"`
		OK      bool      `json:"ok"`
		At      time.Time `json:"at"`
		Tags    []string  `json:"tags,omitempty"`
		Parts   []part    `json:"parts"`
		First   *part     `json:"first"`
		Parent  *document `json:"parent,omitempty"`
		Escaped string    `json:"a<b&c"`
	}
	// counted has maps, too, which the library only writes.
	counted struct {
		Counts map[string]int     `json:"counts"`
		Labels map[label][]string `json:"labels"`
		Parts  map[string]part    `json:"parts"`
		First  document           `json:"first"`
	}
	halves struct {
		Half float32   `json:"half"`
		All  []float32 `json:"all"`
	}
	few struct {
		Half  float32 `json:"half,omitempty"`
		Score float64 `json:"score,omitempty"`
	}
	part struct {
		N    int8
		Text string
		Took time.Duration
		When *time.Time
	}
)

func sample() document {
	at := time.Date(2024, 1, 2, 3, 4, 5, 600, time.FixedZone("", 3600))
	return document{
		ID: math.MaxInt64, Small: math.MaxUint16, Title: "a <b> & \"c\" \u2028 \U0001F600 \b\f\n\x00", Score: 1e21, OK: true, At: at,
		Tags:  []string{"", "\x7f"},
		Parts: []part{{N: -128, Text: "t", Took: time.Second}, {When: &at}}, First: &part{}, Parent: &document{Score: -1e-7}, Escaped: "/",
	}
}

func countedSample() counted {
	return counted{
		Counts: map[string]int{"z": 1, "a": -1, "\u2603": 0, "<": 2, "\b": 3, "\xff": 4, "\xfe": 5, "": 6}, Labels: map[label][]string{"b": nil, "a": {"x"}},
		Parts: map[string]part{"a": {N: 1}}, First: sample(),
	}
}

var seeds = []string{
	`{"id":1,"small":2,"title":"a<b>\u2028é😀\b","score":1.5e10,"half":0.1,"ok":true,"at":"2024-01-02T03:04:05.6+01:00","tags":["a","b"],` +
		`"counts":{"z":1,"a":-2},"labels":{"x":["y"],"":null},"parts":[{"N":1,"Text":"t","Took":5,"When":null},{}],"first":{"N":2},"parent":{"id":3,"parent":null}}`,
	`{"ID":1,"Title":"x","title":"y","title":"z"}`, `{"id":1.0}`, `{"id":1e2}`, `{"id":"1"}`, `{"small":65536}`, `{"small":-1}`, `{"half":1e39}`, `{"half":-0}`, `{"half":1.0000000596046447753906251}`, `{"score":1e400}`,
	`{"unknown":"\x"}`, `{"unknown":[-]}`, `{"unknown":{"a":[1,2,{"b":null}]}}`, `{"title":"\ud800\udc00\ud800"}`, `{"title":"\x"}`, "{\"title\":\"\xff\xc3\"}",
	"{\"counts\":{\"\xff\":1,\"\xfe\":2}}", "{\"title\":\"\n\"}", `{"counts":{"a":1,"a":2}}`, `{"counts":{"a":1,"a":null}}`, `{"labels":{"a":["x","y"],"a":[null],"a":null}}`, `{"a":true,"b":1,"a":null}`, `{"a":["x","y"],"a":[null]}`, `["x",null]`, `{"tags":["x","y"],"tags":[null]}`, `{"parts":[{"N":1,"Text":"t"}],"parts":[{"N":2}]}`, `{"first":{"N":1},"first":{"Text":"t"}}`, `{"parts":[null,{"N":null}],"at":null,"tags":null}`,
	` null `, `nul`, `[]`, `"text"`, `1`, ``, ` `, `{} {}`, `{"id":01}`, `{"id":-0}`, `{"score":-0}`, `{"at":"2024-01-02T03:04:05+01:00:30"}`, `{"at":"2024"}`, `{"at":"\u0032024-01-02T03:04:05Z"}`,
	`{"\u0069d":1}`, `{"title":"\u0000\u001f\/"}`, `{"\u017fmall":1}`, `[{"id":1},{"id":2}]`, "\ufeff{}", `{"id":1,}`, `{"a\u003cb\u0026c":"x"}`, `{"id":9223372036854775808}`,
}

// TestSameAsJSON compares what the codec and codec.JSON read and write.
func TestSameAsJSON(t *testing.T) {
	for _, data := range seeds {
		same(t, data)
	}
	for _, v := range []any{sample(), countedSample(), []document{sample(), {}}, &counted{}, map[string]*document{"b": {}, "a": nil},
		halves{0.1, []float32{float32(math.Copysign(0, -1)), math.MaxFloat32}}, few{float32(math.Copysign(0, -1)), math.Copysign(0, -1)}} {
		got, err := sonic.Codec.Append([]byte("before"), v)
		require.NoError(t, err)
		want, err := codec.JSON.Append([]byte("before"), v)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
		same(t, strings.TrimPrefix(string(got), "before"))
	}
}

// same reads data as several types with both codecs, and writes what was read.
func same(t *testing.T, data string) {
	t.Helper()
	sameAs[document](t, data)
	sameAs[*document](t, data)
	sameAs[halves](t, data)
	sameAs[few](t, data)
	sameAs[[]document](t, data)
	sameAs[counted](t, data)
	sameAs[map[string]part](t, data)
	sameAs[map[string]any](t, data)
	sameAs[map[string]int](t, data)
	sameAs[map[string][]string](t, data)
	sameAs[[]string](t, data)
	sameAs[[]float64](t, data)
	sameAs[[][]int8](t, data)
	sameAs[map[string]map[label]*bool](t, data)
}

func sameAs[T any](t *testing.T, data string) {
	t.Helper()
	var got, want T
	err, wantErr := sonic.Codec.Decode([]byte(data), &got), codec.JSON.Decode([]byte(data), &want)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got, want) {
		t.Errorf("%T from %q:\n%+v, %v\nand not\n%+v, %v", got, data, got, err, want, wantErr)
	}
	if err != nil {
		return
	}
	stored, err := sonic.Codec.Append(nil, want)
	wanted, wantErr := codec.JSON.Append(nil, want)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) || string(stored) != string(wanted) {
		t.Errorf("%T from %q:\n%q, %v\nand not\n%q, %v", got, data, stored, err, wanted, wantErr)
	}
}

// TestRefused tries what has no form, and data that attacks a decoder.
func TestRefused(t *testing.T) {
	loop := &document{}
	loop.Parent = loop
	for _, v := range []document{{Score: math.NaN()}, {At: time.Date(1900, 1, 1, 0, 0, 0, 0, time.FixedZone("", 1172))}, *loop} {
		_, err := sonic.Codec.Append(nil, v)
		require.ErrorIs(t, err, codec.ErrEncode)
	}
	for name, data := range map[string]string{
		"objects":         strings.Repeat(`{"parent":`, 1_000_000),
		"closed objects":  strings.Repeat(`{"parent":`, 20_000) + "{}" + strings.Repeat("}", 20_000),
		"unknown arrays":  `{"x":` + strings.Repeat("[", 1_000_000),
		"arrays":          `{"tags":` + strings.Repeat("[", 1_000_000),
		"long number":     `{"id":` + strings.Repeat("9", 1_000_000) + `}`,
		"open string":     `{"title":"` + strings.Repeat("a", 1_000_000),
		"many surrogates": `{"title":"` + strings.Repeat(`\ud800`, 100_000) + `x`,
	} {
		require.ErrorIs(t, sonic.Codec.Decode([]byte(data), new(document)), codec.ErrDecode, name)
	}
	for _, depth := range []int{1000, 3000, 5000, 9999, 10_000, 10_001, 12_000} {
		same(t, strings.Repeat(`{"parent":`, depth-1)+"{}"+strings.Repeat("}", depth-1))
	}
	require.Error(t, codec.CheckType(sonic.Codec, reflect.TypeFor[chan int]()))
}

// FuzzSame reads arbitrary bytes with the codec and with codec.JSON.
func FuzzSame(f *testing.F) {
	for _, data := range seeds {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data string) { same(t, data) })
}
