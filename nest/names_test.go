//nest:ignore what wrong calls say is tested here

package nest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// uuid has the form that UUID packages declare: an array of bytes with a text form.
type uuid [16]byte

func (u uuid) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%x", u[:]), nil }

func (u *uuid) UnmarshalText(text []byte) error {
	if len(text) != 32 {
		return errors.New("32 digits")
	}
	_, err := hex.Decode(u[:], text)
	return err
}

// point has a text form and is neither a scalar nor an array of bytes.
type point struct{ x, y int }

func (p point) MarshalText() ([]byte, error) {
	if p.x < 0 {
		return nil, errors.New("secret-in-an-error")
	}
	return fmt.Appendf(nil, "%d,%d", p.x, p.y), nil
}

func (p *point) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "%d,%d", &p.x, &p.y)
	return err
}

// open opens a tree to test its names.
func open(t testing.TB, root *ClusterDef, opts ...OpenOption) Scope {
	t.Helper()
	s, err := Open(nil, root, append(opts, NamesOnly())...)
	require.NoError(t, err)
	return s
}

var (
	userID  = Param[int64]("user_id")
	shade   = Param[colour]("shade")
	small   = Param[int8]("small")
	flagged = Param[bool]("flagged")
	ident   = Param[uuid]("ident")
	moment  = Param[time.Time]("moment", Layout(time.RFC3339Nano))
	peer    = Param[netip.Addr]("address")
	place   = Param[point]("place")
	secret  = Param[string]("secret", Sensitive(), MaxLen(20))
	even    = Param[int]("even", Validate(func(n int) error {
		if n%2 != 0 {
			return fmt.Errorf("%d is odd", n)
		}
		return nil
	}))

	age      = Key[int]("age", Default(0))
	session  = Key[string]("session:<token>")
	product  = Key[string]("product:<model>-<id>")
	file     = Key[string]("file:<path...>")
	tinted   = Key[string]("tinted:<shade>:<flagged>", Params(shade, flagged))
	little   = Key[string]("little:<small>:<even>", Params(small, even))
	texts    = Key[string]("texts:<ident>:<moment>:<address>:<place>", Params(ident, moment, peer, place))
	hidden   = Key[string]("hidden:<secret>", Params(secret))
	cart     = Key[string]("cart:{<id>}")
	basket   = Key[string]("{shop:<id>}:<rest...>")
	users    = Cluster("user:<user_id>", TTL(120), Params(userID), Sub(age, session))
	tagged   = Cluster("tagged:<tag>", HashTag(), Sub(age))
	grouping = Cluster("", Sub(product, file))
	vaults   = Cluster("vault:<secret>", Params(secret), Sub(Key[int]("depth")))
	root     = Cluster("root", Sub(users, tagged, grouping, tinted, little, texts, hidden, vaults, cart, basket))
)

func TestNames(t *testing.T) {
	s := open(t, root)
	u := users.At(s, 42)
	require.Equal(t, "root", s.Prefix())
	require.Equal(t, "root:user:42", u.Prefix())
	when := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	for _, c := range []struct {
		ref  interface{ Key() string }
		want string
	}{
		{age.At(s, 42), ""}, // in two places
		{age.At(u), "root:user:42:age"},
		{session.At(s, 42, "abc"), "root:user:42:session:abc"},
		{session.At(u, "abc"), "root:user:42:session:abc"},
		{session.At(s, int8(-42), "abc"), "root:user:-42:session:abc"},
		{session.At(s, uint64(7), "abc"), "root:user:7:session:abc"},
		{session.At(s, userID.Of(42), "abc"), "root:user:42:session:abc"},
		{session.At(s, "abc", userID.Of(42)), "root:user:42:session:abc"},
		{session.At(s, Param[string]("token").Of("abc"), userID.Of(42)), "root:user:42:session:abc"},
		{session.At(u, 5), "root:user:42:session:5"},
		{session.At(u, true), "root:user:42:session:true"},
		{session.At(u, colour("red")), "root:user:42:session:red"},
		{session.At(u, level(3)), "root:user:42:session:3"},
		{session.At(u, "a:b"), "root:user:42:session:a%3Ab"},
		{session.At(u, "a%3Ab"), "root:user:42:session:a%253Ab"},
		{session.At(u, "*?[a]\\"), "root:user:42:session:*?[a]\\"},
		{session.At(u, "{x}<y>"), "root:user:42:session:%7Bx%7D%3Cy%3E"},
		{session.At(u, "\x00\n\x7f\xff é"), "root:user:42:session:%00%0A%7F\xff é"},
		{product.At(s, "a-b", "c-d"), "root:product:a%2Db-c-d"},
		{product.At(s, -1, -2), "root:product:%2D1--2"},
		{file.At(s, "a/b:c::d"), "root:file:a/b:c::d"},
		{file.At(s, ":"), "root:file::"},
		{file.At(s, "{%}"), "root:file:%7B%25%7D"},
		{tinted.At(s, "red", false), "root:tinted:red:false"},
		{tinted.At(s, colour("red"), flagged.Of(true)), "root:tinted:red:true"},
		{little.At(s, -128, 2), "root:little:-128:2"},
		{texts.At(s, uuid{0xab}, when, netip.MustParseAddr("::1"), place.Of(point{1, 2})),
			"root:texts:ab000000000000000000000000000000:2026-01-02T02%3A04%3A05.000000006Z:%3A%3A1:1,2"},
		{age.At(tagged.At(s, "x")), "root:{tagged:x}:age"},
		{cart.At(s, 42), "root:cart:{42}"},
		{cart.At(s, "a:{b}"), "root:cart:{a%3A%7Bb%7D}"},
		{cart.At(s, "a long value without anything to escape"), "root:cart:{a long value without anything to escape}"},
		{basket.At(s, "x", "a:{b}"), "root:{shop:x}:a:%7Bb%7D"},
	} {
		require.Equal(t, c.want, c.ref.Key())
		if c.want == "" {
			continue
		}
		m, err := s.Match(c.want)
		require.NoError(t, err, c.want)
		require.Equal(t, c.want, m.Key())
		require.NotNil(t, m.Def())
	}
}

func TestAtExplainsWhatIsWrong(t *testing.T) {
	s := open(t, root)
	u := users.At(s, 42)
	elsewhere := Key[int]("elsewhere")
	for _, c := range []struct {
		ref  interface{ Err() error }
		kind error
		why  string
	}{
		{session.At(s), ErrMissingParam, `at "root:user:<user_id>:session:<token>": missing parameter: <user_id>, <token>: open below the scope are <user_id>, <token>; got 0 arguments`},
		{session.At(s, 1), ErrMissingParam, "<token>: open below the scope are <user_id>, <token>; got 1 argument"},
		{session.At(s, Param[string]("token").Of("x")), ErrMissingParam, "<user_id>: open"},
		{session.At(u), ErrMissingParam, "<token>: open below the scope is <token>"},
		{age.At(u, 1), ErrExtraParam, "argument 1 of 1 has no parameter left to fill: open below the scope is no parameter"},
		{session.At(u, 1, 2, 3), ErrExtraParam, "argument 2 of 3"},
		{session.At(s, 1.5, "x"), ErrParamType, "<user_id> (argument 1 of 2) takes an int64 or another value of integer kind, not a float64"},
		{session.At(s, "1", "x"), ErrParamType, "not a string"},
		{session.At(s, nil, "x"), ErrParamType, "<user_id> (argument 1 of 2) is nil"},
		{session.At(s, new(int), "x"), ErrParamType, "not a *int"},
		{session.At(u, []byte("x")), ErrParamType, "takes a string, an integer or a boolean, not a []uint8"},
		{session.At(u, 1.5), ErrParamType, "not a float64"},
		{session.At(u, uuid{}), ErrParamType, "not a nest.uuid"},
		{session.At(s, uint64(math.MaxUint64), "x"), ErrParamValue, "<user_id> (argument 1 of 2) is out of the range of an int64"},
		{little.At(s, 128, 2), ErrParamValue, "out of the range of an int8"},
		{little.At(s, 1, 3), ErrParamValue, "<even> (argument 2 of 2) is refused by the parameter's Validate function"},
		{session.At(u, ""), ErrParamValue, "<token> (argument 1 of 1) is empty"},
		{session.At(u, strings.Repeat("x", 1025)), ErrParamValue, "is 1025 bytes long, the limit is 1024"},
		{hidden.At(s, strings.Repeat("x", 21)), ErrParamValue, "is 21 bytes long, the limit is 20"},
		{session.At(s, Param[int64]("userid").Of(1), "x"), ErrExtraParam, "<userid> (argument 1 of 2): no parameter of the template has this name: did you mean <user_id>?"},
		{session.At(u, userID.Of(1), "x"), ErrExtraParam, "the scope has filled it in already"},
		{session.At(s, userID.Of(1), userID.Of(2), "x"), ErrExtraParam, "<user_id> (argument 2 of 3) is given twice"},
		{session.At(u, Arg{}), ErrExtraParam, "zero Arg"},
		{session.At(s, Param[string]("user_id").Of("1"), "x"), ErrParamType, "not a string"},
		{texts.At(s, uuid{}, time.Time{}, netip.Addr{}, point{1, 2}), ErrParamValue, "<address>"},
		{texts.At(s, uuid{}, time.Time{}, netip.MustParseAddr("::1"), point{1, 2}), ErrParamType, "takes a nest.point only by name"},
		{texts.At(s, uuid{}, time.Time{}, netip.MustParseAddr("::1"), place.Of(point{-1, 2})), ErrParamValue, "its MarshalText failed"},
		{age.At(s, 42), ErrAmbiguous, `is mounted below the scope "root"`},
		{age.At(s, 42), ErrAmbiguous, `"root:user:<user_id>:age", "root:{tagged:<tag>}:age"`},
		{elsewhere.At(s), ErrNotMounted, "is not in the tree"},
		{product.At(u), ErrNotMounted, `is not below the scope "root:user:<user_id>"`},
		{age.At(Scope{}), ErrNoClient, "zero Scope"},
		{(*KeyDef[int])(nil).At(s), ErrNotMounted, "is nil"},
		{(*ClusterDef)(nil).At(s), ErrNotMounted, "is nil"},
		{KeyRef[int]{}, ErrNoClient, "zero reference"},
		{Scope{}, ErrNoClient, "zero Scope"},
		{users.At(users.At(s)), ErrMissingParam, "user_id"},
	} {
		err := c.ref.Err()
		require.ErrorIs(t, err, c.kind, c.why)
		require.ErrorContains(t, err, c.why)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.NotContains(t, err.Error(), "secret-in-an-error")
	}
}

func TestABadReferenceReturnsOneError(t *testing.T) {
	s := open(t, root)
	r := age.At(users.At(s, ""))
	first := r.Err()
	_, err := r.Get(t.Context())
	require.Same(t, first, err)
	require.Same(t, first, r.Set(t.Context(), 1))
	_, err = r.Delete(t.Context())
	require.Same(t, first, err)
	bad := users.At(s, "")
	_, err = bad.Clear(t.Context())
	require.Same(t, bad.Err(), err)
	require.Same(t, bad.Err(), age.At(bad).Err())
	require.Empty(t, r.Key())
}

func TestScopesOfARootWithParameters(t *testing.T) {
	k := Key[int]("k")
	tenants := Cluster("tenant:<tenant>", Sub(k))
	top := open(t, tenants)
	require.Empty(t, top.Prefix())
	acme := tenants.At(top, "acme")
	require.Equal(t, "tenant:acme", acme.Prefix())
	require.Equal(t, "tenant:acme:k", k.At(acme).Key())
	require.Equal(t, "tenant:acme:k", k.At(top, "acme").Key())
	require.Equal(t, "tenant:", top.lead())

	top = open(t, tenants, WithPrefix("test:1"))
	require.Equal(t, "test:1", top.Prefix())
	require.Equal(t, "test:1:tenant:acme:k", k.At(top, "acme").Key())
	m, err := top.Match("test:1:tenant:acme:k")
	require.NoError(t, err)
	require.Same(t, k, m.Def())

	bare := open(t, Cluster("", Sub(k)))
	require.Equal(t, "k", k.At(bare).Key())
	require.Equal(t, "p:k", k.At(open(t, Cluster("", Sub(k)), WithPrefix("p"))).Key())
	require.Error(t, Check(Cluster("", Sub(k)), WithPrefix("<p>")))
}

func TestMatchKnowsWhatAtCanWrite(t *testing.T) {
	s := open(t, root)
	for _, name := range []string{
		"", "root", "root:", "root:user", "root:user:42", "root:user:42:", "root:user:42:agex",
		"root:user:x:age",   // not an integer
		"root:user:042:age", // not as At writes it
		"root:user:+1:age", "root:user:-0:age",
		"root:user:9223372036854775808:age",
		"root:user::age",
		"root:user:42:session:%41", // A needs no escape
		"root:user:42:session:%3a", // lower-case digits
		"root:user:42:session:%3",  // cut off
		"root:user:42:session:a{b", // would be escaped
		"root:user:42:session:a:b", // another segment
		"root:user:42:session:",    // empty
		"rootless:user:42:age",     //
		"root:product:a",           // no separator
		"root:product:a-",          // empty
		"root:tinted:red:TRUE",     // not as At writes it
		"root:little:128:2",        // not an int8
		"root:little:1:3",          // refused by the validation
		"root:file:",               // empty tail
		"root:tagged:x:age",        // no braces
		"root:hidden:" + strings.Repeat("x", 21),
		"root:texts:AB000000000000000000000000000000:2026-01-02T03%3A04%3A05Z:%3A%3A1:1,2", // not from MarshalText
	} {
		m, err := s.Match(name)
		require.ErrorIs(t, err, ErrNoMatch, name)
		require.Nil(t, m.Def())
		require.Equal(t, name, m.Key())
	}
	u := users.At(s, 42)
	_, err := u.Match("root:user:421:age")
	require.ErrorIs(t, err, ErrNoMatch)
	_, err = u.Match("root:file:x")
	require.ErrorIs(t, err, ErrNoMatch)

	m, err := u.Match("root:user:42:session:a%3Ab")
	require.NoError(t, err)
	require.Same(t, session, m.Def())
	token, ok := m.Param("token")
	require.True(t, ok)
	require.Equal(t, "a:b", token)
	id, err := userID.From(m)
	require.NoError(t, err)
	require.EqualValues(t, 42, id)
	_, err = shade.From(m)
	require.ErrorIs(t, err, ErrMissingParam)
	_, err = Param[int]("token").From(m)
	require.ErrorIs(t, err, ErrParamValue)
	require.NotContains(t, err.Error(), "a:b")
	_, ok = Match{}.Param("x")
	require.False(t, ok)
}

func TestSensitiveParametersAreRedacted(t *testing.T) {
	s := open(t, root)
	r := hidden.At(s, "hunter2")
	require.Equal(t, "root:hidden:hunter2", r.Key())
	require.Equal(t, "root:hidden:<secret>", r.String())
	m, err := s.Match(r.Key())
	require.NoError(t, err)
	require.Equal(t, "root:hidden:<secret>", fmt.Sprint(m))
	require.Equal(t, "root", fmt.Sprint(s))
	_, err = r.Get(t.Context())
	require.ErrorIs(t, err, ErrNoClient)
	require.NotContains(t, r.at.fail("get", ErrNotFound).Error(), "hunter2")
	require.NotContains(t, hidden.At(s, strings.Repeat("hunter2", 3)).Err().Error(), "hunter2")
}

// FuzzNames checks for all parameters that Match(At(args).Key()) returns the args, each in its
// place.
func FuzzNames(f *testing.F) {
	f.Add(int64(42), "token", "a-b", "x:y")
	f.Add(int64(-1), "*", "{x}", "%3A")
	f.Add(int64(math.MinInt64), "1:age", "\\", "\x00\xff\n")
	f.Add(int64(0), "age", "%", "::")
	s, err := Open(nil, root, NamesOnly())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, id int64, a, b, c string) {
		refs := []struct {
			ref  Ref
			def  Node
			args []string
		}{
			{session.At(s, id, a).Ref, session, []string{fmt.Sprint(id), a}},
			{product.At(s, a, b).Ref, product, []string{a, b}},
			{product.At(s, b, id).Ref, product, []string{b, fmt.Sprint(id)}},
			{file.At(s, c).Ref, file, []string{c}},
			{tinted.At(s, a, id%2 == 0).Ref, tinted, []string{a, fmt.Sprint(id%2 == 0)}},
			{age.At(tagged.At(s, b)).Ref, age, []string{b}},
			{cart.At(s, a).Ref, cart, []string{a}},
			{basket.At(s, b, c).Ref, basket, []string{b, c}},
		}
		names := map[string]string{}
		for _, r := range refs {
			valid := true
			for _, arg := range r.args {
				valid = valid && arg != "" && len(arg) <= DefaultMaxLen
			}
			if !valid {
				require.ErrorIs(t, r.ref.Err(), ErrParamValue)
				continue
			}
			require.NoError(t, r.ref.Err())
			m, err := s.Match(r.ref.Key())
			require.NoError(t, err)
			require.Equal(t, r.def, m.Def())
			_, values := m.Params()
			require.Equal(t, r.args, values)
			meaning := fmt.Sprintf("%p %q", r.def, r.args)
			if other, ok := names[r.ref.Key()]; ok {
				require.Equal(t, other, meaning, "one name, two meanings")
			}
			names[r.ref.Key()] = meaning
			require.NotContains(t, strings.NewReplacer("{tagged:", "", "cart:{", "", "{shop:", "").Replace(r.ref.Key()), "{")
		}
	})
}

// FuzzMatch checks that no raw name makes Match panic, and that every name that Match accepts is
// one that At writes.
func FuzzMatch(f *testing.F) {
	for _, s := range []string{"root:user:42:age", "root:product:a%2Db-c", "root:file:a:b::", "root:{tagged:x}:age", "root:tinted:red:true", "root:user:%", "root:file:%7B", "root:cart:{a}", "root:cart:{a}}", "root:{shop:a}:b:c", "root:{shop:a:b}:c"} {
		f.Add(s)
	}
	s, err := Open(nil, root, NamesOnly())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, name string) {
		m, err := s.Match(name)
		if err != nil {
			require.ErrorIs(t, err, ErrNoMatch)
			return
		}
		_, values := m.Params()
		args := make([]any, len(values))
		for i, v := range values {
			args[i] = v
			p := m.at.name.Pieces[i].Param
			switch p.Class {
			case names.IntClass:
				var n int64
				_, err := fmt.Sscan(v, &n)
				require.NoError(t, err)
				args[i] = n
			case names.BoolClass:
				args[i] = v == "true"
			case names.TextClass:
				args[i] = Arg{names.Arg{Spec: &p.Spec, Text: v}}
			}
		}
		_, again, refErr := m.at.resolve(&s, args)
		require.Nil(t, refErr)
		require.Equal(t, name, again)
	})
}

// What the fast paths make is what the path with all checks makes, and they refuse nothing else.
func TestFastPathsMakeTheSameNames(t *testing.T) {
	var (
		number  = Param[int64]("number")
		short   = Param[int8]("short")
		natural = Param[uint16]("natural")
		named   = Param[level]("named")
		text    = Param[colour]("text")
		brief   = Param[string]("brief", MaxLen(3))
		checked = Param[int]("checked", Validate(func(n int) error {
			if n == 7 {
				return errors.New("unlucky")
			}
			return nil
		}))
		plain = []*KeyDef[int]{
			Key[int]("a:<any>"), Key[int]("b:<number>"), Key[int]("c:<short>"), Key[int]("d:<natural>"), Key[int]("e:<named>"),
			Key[int]("f:<text>"), Key[int]("g:<brief>"), Key[int]("h:<checked>"), Key[int]("i:<number>-x"), Key[int]("j:<any>7k"),
		}
		keys []Node
	)
	for _, k := range plain {
		keys = append(keys, k)
	}
	s := open(t, Cluster("root", Params(number, short, natural, named, text, brief, checked), Sub(keys...)))
	args := []any{
		nil, "", "x", "a:b", "-7k", "long", strings.Repeat("x", DefaultMaxLen+1), colour("red"), colour(""), colour("7k"), true, 1.5,
		0, -1, 7, int8(-128), int16(300), int32(-70_000), int64(math.MinInt64), int64(math.MaxInt64), uint(7), uint8(255), uint16(65_535),
		uint32(1 << 31), uint64(math.MaxUint64), uint64(math.MaxInt64), uintptr(5), level(3), level(-3), time.Second, struct{}{}, []int{1},
		number.Of(-5), short.Of(-128), natural.Of(65_535), named.Of(-1), text.Of("a:b"), text.Of(""), brief.Of("abcd"), brief.Of("abc"),
		checked.Of(7), checked.Of(8), Param[string]("number").Of("x"), Param[int8]("number").Of(1), Param[string]("any").Of("a%b"),
		Param[int]("any").Of(-7), Param[uint64]("any").Of(math.MaxUint64), Param[level]("any").Of(2), Arg{},
	}
	made := 0
	for _, k := range plain {
		for _, arg := range args {
			m, name, err := k.Declaration.at(&s, []any{arg})
			given := []names.Given{{}}
			if a, ok := arg.(Arg); ok {
				given[0] = names.Given{Arg: a.of, Named: true}
			}
			want, problem := m.name.Resolve(&s.at.name, s.prefix, []any{arg}, given)
			require.Equal(t, problem == nil, err == nil, "%s of %v", k.Template(), arg)
			require.Equal(t, want, name, "%s of %v", k.Template(), arg)
			if err == nil {
				made++
			}
		}
	}
	require.Greater(t, made, 100)

	// Two named arguments have to be in order to be taken as they are.
	first, second := Param[string]("first"), Param[level]("second")
	other := Param[string]("second")
	pair := Key[int]("<first>:<second>", Params(first, second))
	top := open(t, Cluster("pairs", Sub(pair)))
	require.Equal(t, "pairs:a%3Ab:-3", pair.At(top, first.Of("a:b"), second.Of(-3)).Key())
	require.Equal(t, "pairs:a:7", pair.At(top, second.Of(7), first.Of("a")).Key())
	require.Equal(t, "pairs:a:7", pair.At(top, first.Of("a"), 7).Key())
	require.ErrorIs(t, pair.At(top, first.Of("a"), other.Of("7")).Err(), ErrParamType)
	require.ErrorIs(t, pair.At(top, first.Of("a"), first.Of("b")).Err(), ErrExtraParam)
	require.ErrorIs(t, pair.At(top, first.Of("a"), Arg{}).Err(), ErrExtraParam)
}
