package codectest

import (
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"time"
)

// Codec libraries mistake the types below for other types. Each of them was once accepted by a
// codec that then lost a part of it, or could never read it back.
type (
	// nbyte is a byte to the compiler, but not to a library that compares types.
	nbyte byte

	base struct {
		ID   int
		Name string
	}
	// Outer is exported, so that a pointer to it can be set where it is embedded.
	Outer struct {
		ID   int
		Name string
	}
	// Narrow and Wide have fields of the same names.
	Narrow struct{ A, B int8 }
	// Wide holds what does not fit in Narrow.
	Wide struct{ A, B int }

	shadowing struct { // has a field that hides one of an embedded struct
		Outer
		ID string
	}
	shadowingBefore struct {
		ID string
		Outer
	}
	ambiguous struct { // has two fields with one name at the same depth
		Outer
		Other
	}
	// Other has a field name in common with Outer.
	Other struct {
		ID   int
		More string
	}
	unexported struct { // embeds an unexported type that has exported fields
		base
		More string
	}
	onlyUnexported struct{ base }
	pointing       struct { // embeds a pointer
		*Outer
		More string
	}
	dashed struct { // has a field that is named "-" and not left out
		Dash int `cbor:"-," json:"-," msgpack:"-,"` //nolint:staticcheck // the name "-" is tried
		More string
	}
	arrays struct {
		Named [6]nbyte
		Plain [4]byte
		Slice []nbyte
		Many  [][2]nbyte
		Key   map[[2]nbyte]int
	}
	moments struct {
		At    time.Time
		Maybe *time.Time
		All   []time.Time
		By    map[string]time.Time
	}
	wider struct {
		A     string
		Inner Wide
	}
	narrower struct {
		A string
		Narrow
	}
	words  struct{ Word uintptr }
	holder struct {
		V    any
		List []any
		By   map[string]any
	}
	nested struct {
		Deep map[string][]map[string]any
		Ptr  *any
	}

	// The methods of pointerText, pointerBinary and pointerJSON have pointer receivers: they define
	// a text form, a binary form and a JSON form.
	pointerText   struct{ text string }
	pointerBinary struct{ text string }
	pointerJSON   struct{ text string }
	// onlyWrites has a method that writes it, and none that reads it.
	onlyWrites struct{ Text string }

	textHolder struct {
		One  pointerText
		Two  [2]pointerText
		Ptr  *pointerText
		More string
	}
	binaryHolder struct {
		One  pointerBinary
		Two  [2]pointerBinary
		Ptr  *pointerBinary
		More string
	}
	jsonHolder struct {
		One  pointerJSON
		Two  [2]pointerJSON
		Ptr  *pointerJSON
		More string
	}
	bigHolder struct {
		Int  big.Int
		Ptr  *big.Int
		None *big.Int
	}
	urlHolder struct {
		URL url.URL
		Ptr *url.URL
	}
)

func (p *pointerText) MarshalText() ([]byte, error) { return []byte("t" + p.text), nil }

func (p *pointerText) UnmarshalText(b []byte) error { return cut(&p.text, "t", b) }

func (p *pointerBinary) MarshalBinary() ([]byte, error) { return []byte("b" + p.text), nil }

func (p *pointerBinary) UnmarshalBinary(b []byte) error { return cut(&p.text, "b", b) }

func (p *pointerJSON) MarshalJSON() ([]byte, error) { return []byte(`"j` + p.text + `"`), nil }

func (p *pointerJSON) UnmarshalJSON(b []byte) error { return cut(&p.text, `"j`, b[:max(len(b)-1, 0)]) }

func (onlyWrites) MarshalText() ([]byte, error) { return []byte("written"), nil }

func (onlyWrites) MarshalBinary() ([]byte, error) { return []byte("written"), nil }

func (onlyWrites) MarshalJSON() ([]byte, error) { return []byte(`"written"`), nil }

// edges returns the kit's values that a codec may refuse, by their type or one by one, but must not
// change.
func edges(precision time.Duration) []sample {
	outer, instant, zero := &Outer{1, "outer"}, time.Date(2024, 1, 2, 3, 4, 5, 6000, time.UTC).Truncate(precision), time.Time{}
	large := new(big.Int).Lsh(big.NewInt(-12345), 100)
	id := int64(4244637855813302974)
	var some any = id
	list := []sample{
		newSample(zero), newSample(&zero), newSample(moments{}), newSample([]time.Time{{}, instant}), newSample(map[string]time.Time{"zero": {}}),
		newSample(moments{zero, &zero, []time.Time{{}, instant}, map[string]time.Time{"zero": {}, "one": instant}}),
		newSample(moments{instant, &instant, nil, nil}), newSample[*time.Time](nil), newSample(map[string]*time.Time{"zero": &zero, "nil": nil}),
		newSample(time.Date(1900, 1, 1, 0, 0, 0, 0, time.FixedZone("", -52))),
		newSample(moments{At: time.Date(1900, 1, 1, 0, 0, 0, 0, time.FixedZone("LMT", 1172))}),
		newSample(time.Date(2024, 1, 1, 0, 0, 0, 0, time.FixedZone("", 5*3600+1800))),
		newSample(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)), newSample(time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)),
		newSample(moments{At: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}),
		newSample(time.Date(2024, 1, 2, 3, 4, 5, 678901234, time.UTC)), newSample(time.Unix(1<<34, 1).UTC().Truncate(precision)),

		newSample(shadowing{Outer{1, "inner"}, "outer"}), newSample(shadowingBefore{"outer", Outer{1, "inner"}}),
		newSample(ambiguous{Outer{1, "a"}, Other{2, "b"}}), newSample([]shadowing{{Outer{1, "inner"}, "outer"}}),
		newSample(unexported{base{1, "inner"}, "outer"}), newSample(onlyUnexported{base{1, "inner"}}),
		newSample(pointing{nil, "none"}), newSample(pointing{outer, "one"}), newSample(pointing{&Outer{}, "empty"}),
		newSample(dashed{1, "more"}), newSample(&dashed{2, "more"}),
		newSample(narrower{"a", Narrow{1, -2}}), newSample(wider{"a", Wide{300, 70000}}),

		newSample(nbyte(7)), newSample([6]nbyte{1, 2, 255}), newSample([4]byte{1, 2, 3, 255}), newSample([]nbyte{0, 255}), hollow(newSample([]nbyte{})),
		newSample([0]byte{}), newSample(&[6]nbyte{1}), newSample([][6]nbyte{{1}, {2}}), newSample(map[string][6]nbyte{"a": {1}}),
		newSample(arrays{Named: [6]nbyte{1, 255}, Plain: [4]byte{255}, Slice: []nbyte{1}, Many: [][2]nbyte{{1, 2}}, Key: map[[2]nbyte]int{{1, 2}: 3}}),
		newSample(uintptr(math.MaxUint32)), newSample([]uintptr{1}), newSample(words{7}),

		newSample(pointerText{"x"}), newSample(&pointerText{"x"}), newSample([]pointerText{{"x"}}), newSample(map[string]pointerText{"a": {"x"}}),
		newSample(map[string]*pointerText{"a": {"x"}, "nil": nil}), newSample([1]pointerText{{"x"}}), newSample(map[pointerText]int{{"x"}: 1}),
		newSample(textHolder{One: pointerText{"1"}, Two: [2]pointerText{{"2"}, {"3"}}, Ptr: &pointerText{"4"}}), newSample(textHolder{}),
		newSample(map[string]textHolder{"a": {One: pointerText{"1"}}}),
		newSample(pointerBinary{"x"}), newSample(&pointerBinary{"x"}), newSample([]pointerBinary{{"x"}}), newSample(map[string]pointerBinary{"a": {"x"}}),
		newSample(map[string]*pointerBinary{"a": {"x"}, "nil": nil}), newSample([1]pointerBinary{{"x"}}), newSample(map[pointerBinary]int{{"x"}: 1}),
		newSample(binaryHolder{One: pointerBinary{"1"}, Two: [2]pointerBinary{{"2"}, {"3"}}, Ptr: &pointerBinary{"4"}}), newSample(binaryHolder{}),
		newSample(map[string]binaryHolder{"a": {One: pointerBinary{"1"}}}),
		newSample(pointerJSON{"x"}), newSample(&pointerJSON{"x"}), newSample([]pointerJSON{{"x"}}), newSample(map[string]pointerJSON{"a": {"x"}}),
		newSample(map[string]*pointerJSON{"a": {"x"}, "nil": nil}), newSample([1]pointerJSON{{"x"}}),
		newSample(jsonHolder{One: pointerJSON{"1"}, Two: [2]pointerJSON{{"2"}, {"3"}}, Ptr: &pointerJSON{"4"}}), newSample(jsonHolder{}),
		newSample(map[string]jsonHolder{"a": {One: pointerJSON{"1"}}}),
		newSample(onlyWrites{"x"}), newSample([]onlyWrites{{"x"}}), newSample(&onlyWrites{"x"}), newSample(map[string]onlyWrites{"a": {"x"}}),

		newEqual(exact, *large), newEqual(exact, large), newEqual(exact, []big.Int{*large, {}}), newEqual(exact, map[string]big.Int{"a": *large}),
		hollow(newEqual(exact, []*big.Int{large, nil})), hollow(newEqual(exact, map[string]*big.Int{"a": large, "nil": nil})), newEqual[*big.Int](exact, nil),
		newEqual(exact, bigHolder{Int: *large, Ptr: large}), newEqual(exact, bigHolder{}), newEqual(exact, [1]big.Int{*large}), newEqual(exact, new(big.Int)),
		newEqual(exact, big.NewRat(1, 3)), newEqual(exact, *big.NewRat(-2, 7)), newEqual(exact, []big.Rat{*big.NewRat(1, 3)}), hollow(newEqual(exact, []*big.Rat{big.NewRat(1, 3), nil})),
		newEqual(exact, big.NewFloat(0.1)), newEqual(exact, *big.NewFloat(0.1)), newEqual(exact, new(big.Float).SetPrec(300).SetRat(big.NewRat(1, 3))),
		newEqual(exact, map[string]*big.Float{"a": big.NewFloat(0.5)}), newSample(big.Exact), newSample(big.Word(7)), newSample(big.ToZero),
		newSample(url.URL{Scheme: "https", Host: "example.com", Path: "/a b"}), newSample(&url.URL{Scheme: "https", Host: "example.com"}),
		newSample([]url.URL{{Scheme: "https", Host: "example.com"}}), newSample(map[string]url.URL{"a": {Scheme: "https", Host: "example.com"}}),
		newSample(urlHolder{URL: url.URL{Scheme: "https", Host: "example.com"}, Ptr: &url.URL{Path: "/"}}), newSample(urlHolder{}),
		newSample(netip.MustParseAddr("10.0.0.1")), newSample(netip.Addr{}), newSample(map[netip.Addr]int{netip.MustParseAddr("::1"): 1}),

		newEqual(exact, map[string]any{"order_id": id, "state": "new"}), newEqual(exact, []any{id, int64(-1<<53 - 1), uint64(math.MaxUint64), int64(math.MinInt64), 0.5, 7}),
		newEqual(exact, holder{V: id, List: []any{[]any{id}}, By: map[string]any{"a": map[string]any{"b": id}}}), newEqual(exact, &holder{V: uint64(math.MaxUint64)}),
		newEqual(exact, map[string]holder{"a": {V: id}}), newEqual(exact, [1]any{id}), newEqual(exact, map[string]map[string]any{"a": {"id": id}}),
		newEqual(exact, nested{map[string][]map[string]any{"a": {{"id": id}}}, &some}), newEqual(exact, []any{1e300, -0.1, 2.5}),
		newEqual(exact, []any{nil, true, "text", "4244637855813302974"}), newEqual(exact, holder{}),
		newEqual[any](exact, id), newEqual[any](exact, uint64(math.MaxUint64)), newEqual[any](exact, map[string]any{"id": id}), newEqual[any](exact, nil),

		newSample("\ufffd \\ufffd"), newSample([]string{"\ufffd", `\ufffd`, `\\ufffd`}),
		newSample(math.Inf(1)), newSample(math.NaN()), newSample([]float64{math.Inf(-1), math.NaN()}), newSample([]float32{math.SmallestNonzeroFloat32, math.MaxFloat32}),
		newSample(map[float64]int{0.5: 1}), newSample(map[bool]string{true: "yes"}), newSample(map[time.Duration]int8{1: -1}),
		newSample([]*int{nil}), newSample(map[uint8]*string{1: nil}), hollow(newSample([][]byte{nil, {}, {1}})), newSample(struct{}{}), newSample([]struct{}{{}, {}}),
	}
	for i := range list {
		list[i].edge = true
	}
	return list
}

// hollow marks a sample that contains something nil or empty.
func hollow(s sample) sample {
	s.empty = true
	return s
}

// exact compares numbers by their value, whatever type they have in an any.
func exact[T any](a, b T) bool {
	return exactly(reflect.ValueOf(&a).Elem(), reflect.ValueOf(&b).Elem())
}
