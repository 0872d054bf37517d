//nest:ignore what wrong calls say is tested here

package nest

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDeclarationPanicsWithItsPlace(t *testing.T) {
	for _, c := range []struct {
		name    string
		declare func()
		why     string
	}{
		{"template", func() { Key[int]("user:{id}") }, `Key[int] "user:{id}": the braces {id} hold no parameter`},
		{"empty key", func() { Key[int]("") }, "cannot be empty"},
		{"default of another type", func() { Key[int]("age", Default("zero")) }, "a value of type string does not fit an int"},
		{"default out of range", func() { Key[int8]("age", Default(128)) }, "exactly"},
		{"negative default", func() { Key[uint]("age", Default(-1)) }, "exactly"},
		{"fraction", func() { Key[int]("age", Default(0.5)) }, "exactly"},
		{"nil default", func() { Key[int]("age", Default(nil)) }, "has no nil"},
		{"two defaults", func() { Key[int]("age", Default(1), Default(2)) }, "given twice"},
		{"TTL of zero", func() { Key[int]("age", TTL(0)) }, "NoTTL"},
		{"negative TTL", func() { Key[int]("age", TTL(-time.Second)) }, "NoTTL"},
		{"TTL too long", func() { Key[int]("age", TTL(1<<62)) }, "NoTTL"},
		{"TTL too fine", func() { Key[int]("age", TTL(time.Microsecond)) }, "milliseconds"},
		{"TTL in nanoseconds", func() { Key[int]("age", TTL(time.Duration(90))) }, "TTL(90ns): a TTL is a positive number of seconds or a duration of whole milliseconds (NoTTL switches an inherited TTL off); a time.Duration counts nanoseconds: for seconds write 90*time.Second"},
		{"field TTL in nanoseconds", func() { Hash[int]("h", FieldTTL(time.Duration(90))) }, "FieldTTL(90ns): a TTL is a positive number of seconds or a duration of whole milliseconds; a time.Duration counts nanoseconds: for seconds write 90*time.Second"},
		{"cached in nanoseconds", func() { Key[int]("age", Cached(60)) }, "Cached(60ns): at least a millisecond, or 0 for no cache; a time.Duration counts nanoseconds: for seconds write 60*time.Second"},
		{"cached for less than nothing", func() { Key[int]("age", Cached(-60)) }, "or 0 for no cache"},
		{"stale in nanoseconds", func() { Key[int]("age", TTL(60), ReadThrough(StaleFor(3600))) }, "StaleFor(3.6µs): at least a millisecond; a time.Duration counts nanoseconds: for seconds write 3600*time.Second"},
		{"refresh in nanoseconds", func() { Key[int]("age", TTL(60), ReadThrough(RefreshBefore(5))) }, "RefreshBefore(5ns): at least a millisecond; a time.Duration"},
		{"negative TTL in nanoseconds", func() { Key[int]("age", ReadThrough(NegativeTTL(5))) }, "NegativeTTL(5ns): at least a millisecond; a time.Duration"},
		{"lease in nanoseconds", func() { Key[int]("age", ReadThrough(LoadLease(5))) }, "LoadLease(5ns): at least a millisecond; a time.Duration"},
		{"rate in nanoseconds", func() { Limiter("rate", Rate(100, 60)) }, "Rate(100, 60ns): the period is a positive number of whole microseconds; a time.Duration counts nanoseconds: for seconds write 60*time.Second"},
		{"jitter", func() { Key[int]("age", Jitter(1)) }, "less than 1"},
		{"flag", func() { Cluster("c", AutoRenew(true, false)) }, "one argument"},
		{"two TTLs", func() { Key[int]("age", TTL(1), TTL(2)) }, "age\": TTL is given twice"},
		{"two NoTTLs", func() { Key[int]("age", NoTTL(), NoTTL()) }, "age\": NoTTL is given twice"},
		{"TTL and NoTTL", func() { Key[int]("age", TTL(1), NoTTL()) }, "TTL and NoTTL exclude each other: keep one of them"},
		{"NoTTL and TTL", func() { Cluster("c", NoTTL(), TTL(1)) }, "TTL and NoTTL exclude each other: keep one of them"},
		{"nil option", func() { Key[int]("age", nil) }, "a nil option"},
		{"nil sub", func() { Cluster("c", Sub((*KeyDef[int])(nil))) }, "argument 1 is nil"},
		{"nil codec", func() { Cluster("c", Codec(nil)) }, "nil codec"},
		{"hash tag without a prefix", func() { Cluster("", HashTag()) }, "needs a prefix"},
		{"tail in a cluster", func() { Cluster("c:<p...>") }, "can only end a key's template"},
		{"parameter name", func() { Param[int]("User") }, "lower-case"},
		{"parameter type", func() { Param[float64]("x") }, "float64 cannot be a parameter"},
		{"parameter pointer", func() { Param[*int]("x") }, "cannot be a parameter"},
		{"validation of another type", func() { Param[int]("x", Validate(func(string) error { return nil })) }, "takes a func(int) error"},
		{"length", func() { Param[string]("x", MaxLen(0)) }, "at least 1 byte"},
		{"parameter twice", func() { Cluster("c", Params(Param[int]("x"), Param[int]("x"))) }, "given twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				text, ok := recover().(string)
				require.True(t, ok, "no panic with a text")
				require.Contains(t, text, c.why)
				require.Contains(t, text, "declaration_test.go:")
			}()
			c.declare()
		})
	}
}

type (
	level  int8
	colour string
)

func TestDefaultFitsWhatCanHoldIt(t *testing.T) {
	Key[int]("a", Default(0))
	Key[float64]("a", Default(0))
	Key[float32]("a", Default(0.1))
	Key[float64]("a", Default(float32(0.1)))
	Key[uint8]("a", Default(255))
	Key[uint64]("a", Default(uint64(1<<63)))
	Key[int64]("a", Default(3.0))
	Key[level]("a", Default(-128))
	Key[colour]("a", Default("red"))
	Key[bool]("a", Default(true))
	Key[[]string]("a", Default([]string{"x"}))
	Key[[]string]("a", Default(nil))
	Key[*int]("a", Default(nil))
	Key[any]("a", Default(1))
	Key[error]("a", Default(nil))

	for _, bad := range []func(){
		func() { Key[int64]("a", Default(uint64(1<<63))) },
		func() { Key[uint64]("a", Default(1e20)) },
		func() { Key[int64]("a", Default(9.3e18)) },
		func() { Key[float32]("a", Default(16777217)) },
		func() { Key[float32]("a", Default(1e39)) },
		func() { Key[float64]("a", Default(int64(math.MaxInt64))) },
		func() { Key[float64]("a", Default(1<<53+1)) },
		func() { Key[colour]("a", Default(1)) },
		func() { Key[string]("a", Default([]byte("x"))) },
	} {
		require.Panics(t, bad)
	}
}

func TestOpenReportsAllProblems(t *testing.T) {
	id := Param[int64]("usr_id")
	root := Cluster("root:<user_id>", Params(id), Sub(
		Cluster("user:<user_id>", HashTag(), Sub(
			Cluster("x", HashTag(), Sub(Key[int]("a"))),
		)),
	))
	err := Check(root)
	require.ErrorIs(t, err, ErrDeclaration)
	require.ErrorContains(t, err, "parameter <user_id> appears twice on the path")
	require.ErrorContains(t, err, "HashTag")
	require.ErrorContains(t, err, "did you mean <user_id>?")
	require.ErrorContains(t, err, "declaration_test.go:")

	scope, err := Open(nil, root, NamesOnly())
	require.Error(t, err)
	require.ErrorIs(t, scope.Err(), ErrDeclaration)
	require.ErrorIs(t, Key[int]("a").At(scope).Err(), ErrDeclaration)
}

func TestParamsThatComeTooLate(t *testing.T) {
	id, text := Param[int64]("id"), Param[string]("id")
	for _, c := range []struct {
		root *ClusterDef
		want string
	}{
		{Cluster("user:<id>", Params(id), Sub(Key[int]("a", Params(text)))),
			`^nest: open "user:<id>:a": Params declares <id> \(\S+declaration_test.go:\d+\) as string, but the template above that has it takes it as int64 \(\S+declaration_test.go:\d+\): keep one of the two declarations, where the template is$`},
		{Cluster("user:<id>", Sub(Key[int]("a", Params(text)))),
			`Params declares <id> \(\S+:\d+\) as string below the template that has it, where nothing types it: put that Params there$`},
		{Cluster("user:<id>", Params(id), Sub(Key[int]("a", Params(id)))),
			`Params declares <id> \(\S+:\d+\) once more, below the template that has it: take it away here$`},
	} {
		err := Check(c.root)
		require.ErrorIs(t, err, ErrDeclaration)
		require.Regexp(t, c.want, err.Error())
	}
	// If a template below contains the parameter, the nearer declaration applies.
	require.NoError(t, Check(Cluster("users", Params(id), Sub(Key[int]("by:<id>", Params(text)), Key[int]("of:<id>")))))
}

func TestOpenNeedsAClient(t *testing.T) {
	_, err := Open(nil, Cluster("root"))
	require.ErrorIs(t, err, ErrNoClient)
	_, err = Open(nil, nil)
	require.ErrorIs(t, err, ErrDeclaration)
	require.ErrorIs(t, Check(nil), ErrDeclaration)
}

func TestOpenChecksCodecsAndDefaults(t *testing.T) {
	require.ErrorContains(t, Check(Cluster("root", Sub(Key[chan int]("c")))), "chan")
	require.ErrorContains(t, Check(Cluster("root", Sub(Key[any]("c", Default(func() {}))))), "default")
	require.NoError(t, Check(Cluster("root", Sub(Key[map[string]netip.Addr]("c", Default(map[string]netip.Addr{}))))))
}

func TestSettingsAreInherited(t *testing.T) {
	own := Key[int]("own", TTL(time.Minute), AutoRenew(false))
	inherits := Key[int]("inherits")
	off := Key[int]("off", NoTTL())
	inner := Cluster("inner", Sub(own, inherits, off))
	other := Key[int]("other")
	root := Cluster("root", TTL(120), AutoRenew(), Protected(), Jitter(0.1), Sub(inner, Cluster("free", NoTTL(), Protected(false), Sub(other))))
	s, err := Open(nil, root, NamesOnly())
	require.NoError(t, err)

	require.Equal(t, time.Minute, own.At(s).DeclaredTTL())
	require.False(t, own.At(s).at.m.settings.autoRenew)
	require.Equal(t, 2*time.Minute, inherits.At(s).DeclaredTTL())
	require.True(t, inherits.At(s).at.m.settings.autoRenew)
	require.Zero(t, off.At(s).DeclaredTTL())
	require.Zero(t, other.At(s).DeclaredTTL())
	require.False(t, other.At(s).at.m.settings.protected)
	require.True(t, s.at.guarded)

	s, err = Open(nil, Cluster("root", Sub(other)), NamesOnly(), WithDefaults(TTL(5)))
	require.NoError(t, err)
	require.Equal(t, 5*time.Second, other.At(s).DeclaredTTL())
}

func TestJitterOnlyShortens(t *testing.T) {
	k := Key[int]("k", TTL(10), Jitter(0.5))
	s, err := Open(nil, Cluster("root", Sub(k)), NamesOnly())
	require.NoError(t, err)
	seen := map[int64]bool{}
	for range 1000 {
		ms := k.At(s).at.m.ttl()
		require.LessOrEqual(t, ms, int64(10_000))
		require.GreaterOrEqual(t, ms, int64(5_000))
		seen[ms] = true
	}
	require.Greater(t, len(seen), 100)

	tiny := Key[int]("k", TTL(time.Millisecond), Jitter(0.99))
	s, err = Open(nil, Cluster("root", Sub(tiny)), NamesOnly())
	require.NoError(t, err)
	for range 100 {
		require.EqualValues(t, 1, tiny.At(s).at.m.ttl(), "a TTL must not round to none")
	}
}

func TestHugeTreesAreRefused(t *testing.T) {
	c := Cluster("x", Sub(Key[int]("k")))
	for range 40 {
		c = Cluster("x", Sub(Cluster("a", Sub(c)), Cluster("b", Sub(c))))
	}
	err := Check(c)
	require.ErrorContains(t, err, "places")
	var e *Error
	require.ErrorAs(t, err, &e)
}
