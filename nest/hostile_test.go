//nest:ignore what wrong calls say is tested here

package nest

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// declareParam declares different parameters, all on one line of the source.
func declareParam(name string, limit int) *ParamDef[string] {
	return Param[string](name, MaxLen(limit))
}

func TestParametersDeclaredOnOneLineAreTold(t *testing.T) {
	short, long := declareParam("a", 3), declareParam("b", 100)
	x, y, literal := Key[int]("x"), Key[int]("y"), Key[int]("user:abcdef:y")
	a := Cluster("user:<a>", Params(short), Sub(x))
	b := Cluster("user:<b>", Params(long), Sub(y))
	require.ErrorIs(t, Check(Cluster("root", Sub(a, b, literal))), ErrCollision)
	s := open(t, Cluster("root", Sub(a, b)))
	m, err := s.Match(y.At(s, "abcdef").Key())
	require.NoError(t, err)
	require.Same(t, y, m.Def())
}

func TestAParamThatNothingBelowItsClusterHasIsRefused(t *testing.T) {
	id := Param[int64]("user_id")
	a := Cluster("user:<user_id>", Params(id), Sub(Key[int]("x")))
	b := Cluster("order:<userid>", Params(id), Sub(Key[int]("x")))
	require.ErrorContains(t, Check(Cluster("root", Sub(a, b))), "did you mean <userid>?")
	require.ErrorContains(t, Check(Cluster("root", Sub(b, a))), "did you mean <userid>?")
}

func TestTheProofDoesNotTrustValidations(t *testing.T) {
	refuse := true
	name := Param[string]("name", Validate(func(s string) error {
		if refuse && s == "me" {
			return fmt.Errorf("no")
		}
		return nil
	}))
	err := Check(Cluster("root", Sub(Key[int]("user:<name>", Params(name)), Key[int]("user:me"))))
	require.ErrorIs(t, err, ErrCollision)
}

func TestAServerThatNamesNoTypeIsNoPanic(t *testing.T) {
	require.Equal(t, "something else", typeNoun(""))
}

func TestZeroValuesAreRefused(t *testing.T) {
	require.Panics(t, func() { Cluster("c", Sub(new(KeyDef[int]))) })
	require.Panics(t, func() { Cluster("c", Params(new(ParamDef[int]))) })
	require.ErrorIs(t, Check(new(ClusterDef)), ErrDeclaration)
	s := open(t, root)
	require.ErrorIs(t, new(KeyDef[int]).At(s).Err(), ErrNotMounted)
	require.ErrorIs(t, session.At(s, new(ParamDef[int]).Of(1)).Err(), ErrExtraParam)
	_, err := new(ParamDef[int]).From(Match{})
	require.ErrorIs(t, err, ErrMissingParam)
	require.Equal(t, "nest: ", (&Error{}).Error())
	require.Zero(t, (*Batch)(nil).Len())
	var b Batch
	require.ErrorIs(t, b.Exec(t.Context()), ErrBatch)
	require.ErrorIs(t, age.At(s).In(&b).Get().Err(), ErrBatch)
	_, err = s.Clear(nil) //nolint:staticcheck // a nil context is the point
	require.ErrorIs(t, err, ErrNoClient)
}

func TestNoFormOfPrintingShowsSensitiveParameters(t *testing.T) {
	s := open(t, root)
	r := hidden.At(s, "hunter2")
	m, err := s.Match(r.Key())
	require.NoError(t, err)
	below := vaults.At(s, "hunter2")
	b := s.Batch()
	got := r.In(b).Get()
	lease, tx := &Lease{lock: LockRef(r)}, &Tx{scope: below, writes: b}
	for _, v := range []any{
		r, &r, r.Ref, m, secret.Of("hunter2"), r.In(b), below, []any{r, below}, struct{ R KeyRef[string] }{r},
		b, got, lease, tx, struct{ B *Batch }{b},
	} {
		for _, verb := range "vsqxXdoObBcUeEfFgGt" {
			for _, flags := range []string{"", "+", "#", "0", "-", " ", "#+", "30.20"} {
				shown := fmt.Sprintf("%"+flags+string(verb), v)
				require.NotContains(t, shown, "hunter2", "%T %s%c", v, flags, verb)
				require.NotContains(t, strings.ToLower(shown), hex.EncodeToString([]byte("hunter2")), "%T %s%c", v, flags, verb)
			}
		}
		for _, text := range []string{fmt.Sprint(v), fmt.Errorf("%w: %v", ErrNotFound, v).Error()} {
			require.NotContains(t, text, "hunter2", "%T", v)
		}
	}
	stranger, err := below.Match("root:vault:hunter2:strange:<secret>")
	require.ErrorIs(t, err, ErrNoMatch)
	require.Equal(t, "root:vault:<secret>:strange:<secret>", stranger.String())
	for format, want := range map[string]string{
		"%v": "root:hidden:<secret>", "%+v": "root:hidden:<secret>", "%#v": "root:hidden:<secret>", "%d": "root:hidden:<secret>",
		"%s": "root:hidden:<secret>", "%q": `"root:hidden:<secret>"`, "%22s": "  root:hidden:<secret>",
	} {
		require.Equal(t, want, fmt.Sprintf(format, r), format)
	}
}

// Verbs that do not use the String method, such as %#v and %d, printed a declaration field by
// field, including the Default of a secret.
func TestNoFormOfPrintingShowsADefault(t *testing.T) {
	const sentinel = "s3ntinel"
	type record struct {
		Name string `nest:"name,secret"`
	}
	number := int64(732_548_116)
	key, secret := Key[string]("a", Default(sentinel)), Secret[string]("b", Default(sentinel))
	declared := []Node{
		key, secret, Secret[[]byte]("c", Default([]byte(sentinel))), Secret[any]("d", Default(any(sentinel))),
		Hash[string]("e", SecretFields(), Default(sentinel)), Hash[string]("f", SecretFields("x"), Default(map[string]string{"x": sentinel})),
		Record[record]("g", Default(record{sentinel})), List[string]("h", Default([]string{sentinel})),
		Set[string]("i", Default([]string{sentinel})), SortedSet[string]("j", Default([]Scored[string]{{Member: sentinel}})),
		Geo[string]("k", Default([]Place[string]{{Member: sentinel}})), Bitmap("l", Default([]byte(sentinel))),
		Counter[int64]("m", Default(number)), HyperLogLog[string]("n", Default(number)), Secret[int64]("o", Default(number)),
	}
	root := Cluster("root", Sub(declared...))
	s := open(t, root)
	values := []any{
		root, *root, s, declared, Default(sentinel), Default(number), []KeyOption{Default(sentinel)}, *key, *secret,
		key.At(s), secret.At(s), struct{ d SecretDef[string] }{*secret}, struct{ D SecretDef[string] }{*secret},
		struct{ d *SecretDef[string] }{secret}, map[string]any{"d": *secret}, []SecretDef[string]{*secret}, secret.Declaration,
	}
	for _, d := range declared {
		values = append(values, d, d.declared(), *d.declared(), []any{d}, struct{ d Declaration }{*d.declared()})
	}
	hidden := []string{sentinel, hex.EncodeToString([]byte(sentinel)), fmt.Sprint([]byte(sentinel)), fmt.Sprint(number), fmt.Sprintf("%x", number)}
	for _, v := range values {
		shown := make(map[string]string)
		for _, verb := range "vsqxXdoObBcUeEfFgGtpT" {
			for _, flags := range []string{"", "+", "#", "0", "-", " ", "#+", "30.20"} {
				format := "%" + flags + string(verb)
				shown[format] = fmt.Sprintf(format, v)
			}
		}
		var text, js strings.Builder
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "v", v)
		shown["slog text"], shown["slog JSON"] = text.String(), js.String()
		if b, err := json.Marshal(v); err == nil {
			shown["JSON"] = string(b)
		}
		for how, text := range shown {
			for _, h := range hidden {
				require.NotContains(t, strings.ToLower(text), h, "%T with %s", v, how)
			}
		}
	}
	require.Equal(t, "secret b", fmt.Sprintf("%#v", secret))
	require.Equal(t, "secret b", fmt.Sprintf("%+v", *secret))
	require.Equal(t, `"secret b"`, fmt.Sprintf("%q", secret))
	require.Equal(t, "<nil>", fmt.Sprintf("%#v", (*SecretDef[string])(nil)))
	require.Equal(t, "cluster root", fmt.Sprintf("%d", root))
}

func TestADefaultIsTheDeclarationsOwn(t *testing.T) {
	given := []map[string]*int{{"a": new(int)}}
	k := Key[[]map[string]*int]("k", Default(given))
	*given[0]["a"] = 7
	given[0]["b"] = nil
	s := open(t, Cluster("root", Sub(k)))
	got, err := k.At(s).value().defaultValue()
	require.NoError(t, err)
	require.Equal(t, []map[string]*int{{"a": new(int)}}, got)

	for kind, declare := range map[string]func(tags []string) Node{
		"value":       func(tags []string) Node { return Key[[]string]("k", Default(tags)) },
		"secret":      func(tags []string) Node { return Secret[[]string]("k", Default(tags)) },
		"hash":        func(tags []string) Node { return Hash[[]string]("k", Default(map[string][]string{"f": tags})) },
		"hash, field": func(tags []string) Node { return Hash[[]string]("k", Default(tags)) },
		"record":      func(tags []string) Node { return Record[owned]("k", Default(owned{tags})) },
		"list":        func(tags []string) Node { return List[string]("k", Default(tags)) },
		"set":         func(tags []string) Node { return Set[string]("k", Default(tags)) },
		"sorted set":  func(tags []string) Node { return SortedSet[[]string]("k", Default([]Scored[[]string]{{tags, 1}})) },
		"geo":         func(tags []string) Node { return Geo[[]string]("k", Default([]Place[[]string]{{tags, Point{}}})) },
	} {
		given := []string{"given"}
		declared := declare(given)
		given[0] = "changed"
		stored := storedDefault(open(t, Cluster("root", Sub(declared))).at.tree.mounts[1])
		require.Contains(t, stored, "given", kind)
		require.NotContains(t, stored, "changed", kind)
	}
}

type owned struct{ Tags []string }

// storedDefault returns the default as it was prepared for a key.
func storedDefault(m *mounted) string {
	switch b := m.bound.(type) {
	case *value[[]string]:
		return b.stored
	case *secretValue[[]string]:
		return b.stored
	case *record[owned]:
		return b.fallback[0].value
	case elementHolder[[]string]:
		return strings.Join(b.elementsOf().missing, " ")
	case elementHolder[string]:
		return strings.Join(b.elementsOf().missing, " ")
	}
	return ""
}

func TestAGroupOwnsWhatItDeclares(t *testing.T) {
	group := Cluster("", Sub(Key[int]("a")))
	s := open(t, Cluster("", Sub(group, Key[int]("b"))), WithPrefix("p"))
	g := group.At(s)
	require.True(t, clears(t, g, "p:a"))
	require.False(t, clears(t, g, "p:b"))
	require.False(t, clears(t, g, "p:undeclared"))
	require.True(t, clears(t, s, "p:undeclared"), "the prefix is the root's own")
}
