package lockfile_test

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/gob"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/lockfile"
)

type (
	colour string
	shade  string
	plain  struct {
		Name string `json:"name" nest:"name"`
		Size int32  `json:"size" nest:"size"`
	}
	renamed struct {
		Title string `json:"title" nest:"title"`
		Size  int32  `json:"size"  nest:"size"`
	}
	moved struct {
		Title string `json:"name" nest:"title,was=name"`
		Size  int32  `json:"size" nest:"size"`
	}
	cased struct {
		Name string `json:"Name"`
		Size int32  `json:"SIZE"`
	}
	grown struct {
		Name string `json:"name" nest:"name"`
		Size int64  `json:"size" nest:"size"`
		Tags []string
	}
	texted struct {
		Name string `json:"name" nest:"name"`
		Size string `json:"size" nest:"size"`
	}
	sealed struct {
		Name string `json:"name" nest:"name,secret"`
		Size int32  `json:"size" nest:"size"`
	}
	nested  struct{ In []plain }
	nested2 struct{ In []texted }
	pointed struct{ In *plain }
	held    struct{ In plain }
	own     struct{ N int }
	own2    struct{ N int }
)

func (own) MarshalText() ([]byte, error)  { return nil, nil }
func (*own) UnmarshalText([]byte) error   { return nil }
func (own2) MarshalText() ([]byte, error) { return nil, nil }
func (*own2) UnmarshalText([]byte) error  { return nil }

// shapeless is JSON without its shapes.
type shapeless struct{}

func (shapeless) Name() string                             { return "shapeless" }
func (shapeless) Append(dst []byte, v any) ([]byte, error) { return codec.JSON.Append(dst, v) }
func (shapeless) Decode(data []byte, v any) error          { return codec.JSON.Decode(data, v) }

// fine says that everything that is stored is read as before.
const fine = ""

// release is what one release declares. Without a root it is one key below r.
func release(t *testing.T, declared ...nest.Node) lockfile.File {
	t.Helper()
	s, err := nest.Open(nil, nest.Cluster("r", nest.Sub(declared...)), nest.NamesOnly())
	require.NoError(t, err)
	f := lockfile.Of(s.Describe())
	text, err := f.Text()
	require.NoError(t, err)
	read, err := lockfile.Parse(text)
	require.NoError(t, err, "a file is read as it was written")
	again, err := read.Text()
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))
	return f
}

type change struct {
	line       int
	what       string
	old, now   []nest.Node
	there      string // part of what is said, or fine
	back       string // of the change the other way round
	way, ahead string // a way out, each
}

func here() int {
	_, _, line, ok := runtime.Caller(1)
	if !ok {
		return 0
	}
	return line
}

func key[T any](opts ...nest.KeyOption) []nest.Node {
	return []nest.Node{nest.Key[T]("k", opts...)}
}

func with(c codec.Codec) nest.KeyOption { return nest.Codec(c) }

func param[T any](opts ...nest.ParamOption) []nest.Node {
	return []nest.Node{nest.Cluster("c:<p>", nest.Params(nest.Param[T]("p", opts...)), nest.Sub(nest.Key[int]("k")))}
}

func pairOf[P, Q any]() []nest.Node {
	return []nest.Node{nest.Cluster("c:<p>:<q>", nest.Params(nest.Param[P]("p"), nest.Param[Q]("q")), nest.Sub(nest.Key[int]("k")))}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	v := codec.Versioned
	u := codec.Unversioned
	changes := []change{
		{here(), "the same", key[plain](), key[plain](), fine, fine, "", ""},
		{here(), "another Go name of the type", key[moved](with(codec.JSON)), key[plain](with(codec.JSON)), fine, fine, "", ""},
		{here(), "a key more", key[int](), append(key[int](), nest.Key[int]("l")), fine, "orphaned", "", "nest.Was"},
		{here(), "another name", key[int](), []nest.Node{nest.Key[int]("l")}, `"r:l"`, `"r:k"`, "nest.Was", "nest.Was"},
		{here(), "another name, with Was", key[int](), []nest.Node{nest.Key[int]("l", nest.Was("k"))}, fine, `"r:k"`, "", "nest.Was"},
		{here(), "releases side by side", []nest.Node{nest.Key[int]("k", nest.Was("l"))}, []nest.Node{nest.Key[int]("l", nest.Was("k"))}, fine, fine, "", ""},
		{here(), "an old name is known", key[int](), []nest.Node{nest.Key[int]("k", nest.Was("l"))}, fine, `former name "r:l" is forgotten`, "", "from the line was"},
		{here(), "a cluster renamed", []nest.Node{nest.Cluster("c:<p>", nest.Sub(nest.Key[int]("k")))}, []nest.Node{nest.Cluster("d:<p>", nest.Was("c:<p>"), nest.Sub(nest.Key[int]("k")))}, fine, "orphaned", "", "nest.Was"},
		{here(), "braces", []nest.Node{nest.Key[int]("k:<p>")}, []nest.Node{nest.Key[int]("k:{<p>}")}, "orphaned", "orphaned", "nest.Was", "nest.Was"},
		{here(), "a lock renamed", []nest.Node{nest.Lock("k", nest.TTL(5))}, []nest.Node{nest.Lock("l", nest.TTL(5))}, "orphaned", "orphaned", "stop the service", "stop the service"},
		{here(), "another name of a parameter", []nest.Node{nest.Key[int]("k:<p>")}, []nest.Node{nest.Key[int]("k:<q>")}, fine, fine, "", ""},
		{here(), "parameters changed places", []nest.Node{nest.Key[int]("k:<p>:<q>")}, []nest.Node{nest.Key[int]("k:<q>:<p>")}, "changed places", "changed places", "a new key", "a new key"},
		{here(), "types changed places", pairOf[colour, shade](), pairOf[shade, colour](), "types of its parameters have changed places, from <p> of lockfile_test.colour, <q> of lockfile_test.shade to", "types of its parameters have changed places", "a new key", "a new key"},
		{here(), "types and names changed places", pairOf[colour, shade](), []nest.Node{nest.Cluster("c:<q>:<p>", nest.Params(nest.Param[shade]("q"), nest.Param[colour]("p")), nest.Sub(nest.Key[int]("k")))}, "changed places", "changed places", "a new key", "a new key"},
		{here(), "types of two forms changed places", pairOf[string, int](), pairOf[int, string](), "changed places", "changed places", "a new key", "a new key"},
		{here(), "another type of one parameter", pairOf[colour, shade](), pairOf[colour, colour](), fine, fine, "", ""},
		{here(), "a tail", []nest.Node{nest.Key[int]("k:<p>")}, []nest.Node{nest.Key[int]("k:<p...>")}, "orphaned", "orphaned", "nest.Was", "nest.Was"},
		{here(), "a parameter typed", []nest.Node{nest.Cluster("c:<p>", nest.Sub(nest.Key[int]("k")))}, param[int64](), "not reached", fine, "a new key", ""},
		{here(), "a parameter of any text", []nest.Node{nest.Cluster("c:<p>", nest.Sub(nest.Key[int]("k")))}, param[string](), fine, fine, "", ""},
		{here(), "a wider parameter", param[int32](), param[int64](), fine, "not reached", "", "a new key"},
		{here(), "a signed parameter", param[uint32](), param[int64](), fine, "not reached", "", "a new key"},
		{here(), "a parameter of a type of its own", param[string](), param[colour](), fine, fine, "", ""},
		{here(), "a parameter with a text", param[own](), param[own2](), "not reached", "not reached", "a new key", "a new key"},
		{here(), "another layout", param[time.Time](nest.Layout(time.DateOnly)), param[time.Time](nest.Layout("20060102")), "layout", "layout", "a new key", "a new key"},
		{here(), "an escape", []nest.Node{nest.Key[int]("a:<p>-<q>")}, []nest.Node{nest.Key[int]("b:<p>.<q>", nest.Was("a:<p>-<q>"))}, fine, "orphaned", "", "nest.Was"},
		{here(), "a TTL", key[int](), key[int](nest.TTL(60)), fine, fine, "", ""},
		{here(), "a renewed TTL", key[int](nest.TTL(60)), key[int](nest.TTL(90), nest.AutoRenew()), fine, fine, "", ""},
		{here(), "a default and docs", key[int](), key[int](nest.Default(3), nest.Doc("three")), fine, fine, "", ""},
		{here(), "another Redis type", key[int](), []nest.Node{nest.List[int]("k")}, "ErrWrongType", "ErrWrongType", "a new key", "a new key"},
		{here(), "another kind", []nest.Node{nest.SortedSet[string]("k")}, []nest.Node{nest.Geo[string]("k")}, "was a sorted set and is a geo", "was a geo and is a sorted set", "a new key", "a new key"},
		{here(), "a number becomes a counter", key[int](), []nest.Node{nest.Counter[int64]("k")}, fine, fine, "", ""},
		{here(), "a text becomes a counter", key[string](), []nest.Node{nest.Counter[int64]("k")}, "is not read any more: now it is stored by the codec decimal", fine, "a new key", ""},
		{here(), "a narrower counter", []nest.Node{nest.Counter[int64]("k")}, []nest.Node{nest.Counter[int32]("k")}, "was int64 and is int32", fine, "", ""},
		{here(), "bytes become a bitmap", key[[]byte](), []nest.Node{nest.Bitmap("k")}, fine, fine, "", ""},
		{here(), "JSON becomes a bitmap", key[plain](), []nest.Node{nest.Bitmap("k")}, "was a value and is a bitmap", "was a bitmap and is a value", "", ""},
		{here(), "a custom type", []nest.Node{nest.Custom("k", "vectorset")}, []nest.Node{nest.Custom("k", "TSDB-TYPE")}, "ErrWrongType", "ErrWrongType", "", ""},
		{here(), "a hash becomes a record", []nest.Node{nest.Hash[string]("k")}, []nest.Node{nest.Record[struct{ A, B string }]("k")}, fine, fine, "", ""},
		{here(), "a hash becomes a record of numbers", []nest.Node{nest.Hash[string]("k")}, []nest.Node{nest.Record[plain]("k")}, `the field "size"`, fine, "", ""},
		{here(), "a secret", key[string](), []nest.Node{nest.Secret[string]("k")}, "encrypted now", "was a secret and is a value", "AcceptPlain", "a new key"},
		{here(), "a secret that accepts plain values", key[string](), []nest.Node{nest.Secret[string]("k", nest.AcceptPlain())}, fine, "was a secret", "", ""},
		{here(), "only sealed values", []nest.Node{nest.Secret[string]("k", nest.AcceptPlain())}, []nest.Node{nest.Secret[string]("k")}, "not accepted any more", fine, "the line accept_plain", ""},
		{here(), "a secret's codec", []nest.Node{nest.Secret[plain]("k")}, []nest.Node{nest.Secret[plain]("k", with(codec.JSON))}, "not read any more", "not read any more", "codec.Versioned", "codec.Versioned"},
		{here(), "a secret's codec, versioned", []nest.Node{nest.Secret[plain]("k")}, []nest.Node{nest.Secret[plain]("k", with(v(codec.JSON, u(codec.Auto))))}, fine, "not read any more", "", ""},
		{here(), "a secret field", []nest.Node{nest.Hash[string]("k")}, []nest.Node{nest.Hash[string]("k", nest.SecretFields("f"))}, `the field "f" is encrypted now`, "was encrypted and is not", "AcceptPlain", "a new key"},
		{here(), "all fields secret", []nest.Node{nest.Hash[string]("k", nest.SecretFields("f"))}, []nest.Node{nest.Hash[string]("k", nest.SecretFields())}, `the field "*" is encrypted now`, `the field "*" was encrypted`, "", ""},
		{here(), "a record's secret field", []nest.Node{nest.Record[plain]("k")}, []nest.Node{nest.Record[sealed]("k", nest.AcceptPlain())}, fine, "was encrypted", "", ""},
		{here(), "a record's field renamed", []nest.Node{nest.Record[plain]("k")}, []nest.Node{nest.Record[renamed]("k")}, `the field "name" is gone`, `the field "title" is gone`, "was=", "was="},
		{here(), "a record's field renamed, with was", []nest.Node{nest.Record[plain]("k")}, []nest.Node{nest.Record[moved]("k")}, fine, `the field "title" is gone`, "", "was="},
		{here(), "a record's former field", []nest.Node{nest.Record[moved]("k")}, []nest.Node{nest.Record[renamed]("k")}, `former name "name" of the field "title" is forgotten`, fine, "take it out", ""},
		{here(), "a record's wider field", []nest.Node{nest.Record[plain]("k")}, []nest.Node{nest.Record[grown]("k")}, fine, "was int64 and is int32", "", ""},
		{here(), "auto and JSON", key[plain](), key[plain](with(codec.JSON)), fine, fine, "", ""},
		{here(), "auto and JSON of a text", key[string](), key[string](with(codec.JSON)), "not read any more", "not read any more", "codec.Versioned", "codec.Versioned"},
		{here(), "auto and raw", key[string](), key[[]byte](with(codec.Raw)), fine, fine, "", ""},
		{here(), "another codec", key[plain](), key[plain](with(gob.Codec)), "by the codec auto, which is not read any more", "by the codec gob, which is not read any more", "codec.Versioned", "codec.Versioned"},
		{here(), "another codec, versioned", key[plain](), key[plain](with(v(gob.Codec, u(codec.Auto)))), fine, "as version 1, which is not read", "", "codec.Versioned"},
		{here(), "an upcoming codec", key[plain](), key[plain](with(v(codec.Upcoming(gob.Codec), u(codec.Auto)))), fine, fine, "", ""},
		{here(), "a version more", key[plain](with(v(gob.Codec, u(codec.Auto)))), key[plain](with(v(codec.JSON, gob.Codec, u(codec.Auto)))), fine, "as version 2, which is not read", "", ""},
		{here(), "a version that has another codec", key[plain](with(v(gob.Codec))), key[plain](with(v(codec.JSON))), "gob as version 1, which is not read", "json as version 1, which is not read", "codec.Versioned", "codec.Versioned"},
		{here(), "a retired version", key[plain](with(v(codec.JSON, gob.Codec))), key[plain](with(v(codec.JSON, codec.Retired))), "gob as version 1, which is not read", fine, "codec.Versioned", ""},
		{here(), "a fingerprint", key[plain](with(codec.JSON)), key[plain](with(codec.Fingerprinted(codec.JSON))), "not read any more", "not read any more", "codec.Versioned", "codec.Versioned"},
		{here(), "a fingerprint, versioned", key[plain](with(codec.JSON)), key[plain](with(v(codec.Fingerprinted(codec.JSON), u(codec.JSON)))), fine, "fingerprinted(json) as version 1, which is not read", "", ""},
		{here(), "another shape with a fingerprint", key[plain](with(codec.Fingerprinted(codec.JSON))), key[renamed](with(codec.Fingerprinted(codec.JSON))), fine, fine, "", ""},
		{here(), "another shape before fingerprints", key[plain](with(v(codec.Fingerprinted(codec.JSON), u(codec.JSON)))), key[renamed](with(v(codec.Fingerprinted(codec.JSON), u(codec.JSON)))), `"name" is gone`, `"title" is gone`, "tag", "tag"},
		{here(), "a field renamed", key[plain](), key[renamed](), `"name" is gone (is it "title" now?)`, `"title" is gone (is it "name" now?)`, "codec.Fingerprinted", "tag"},
		{here(), "a field in another case", key[plain](), key[cased](), fine, fine, "", ""},
		{here(), "a field in another case of gob", key[struct{ Ab int }](with(gob.Codec)), key[struct{ AB int }](with(gob.Codec)), `"Ab" is gone`, `"AB" is gone`, "", ""},
		{here(), "a field more, one wider", key[plain](), key[grown](), fine, `"Tags" is gone`, "", ""},
		{here(), "a field of another type", key[plain](), key[texted](), `"size" was int32 and is string`, `"size" was string and is int32`, "codec.Versioned", "codec.Versioned"},
		{here(), "far inside", key[map[string]nested](), key[map[string]nested2](), `[]."In"[]."size" was int32 and is string`, `"size" was string`, "", ""},
		{here(), "a pointer", key[held](), key[pointed](), fine, "was *", "", ""},
		{here(), "a pointer to a text", key[string](), key[*string](), "was string and is *string", "was *string", "", ""},
		{here(), "a pointer to a number", key[int](), key[*int](), fine, "was *int", "", ""},
		{here(), "a wider number", key[int8](), key[int64](), fine, "was int64 and is int8", "", ""},
		{here(), "a signed number", key[uint16](), key[int32](), fine, "was int32 and is uint16", "", ""},
		{here(), "a signed number in gob", key[uint16](with(gob.Codec)), key[int32](with(gob.Codec)), "was uint16", "was int32", "", ""},
		{here(), "a float", key[int32](), key[float64](), "was int32", "was float64", "", ""},
		{here(), "a text of a number", key[int](), key[string](), fine, "was string and is int", "", ""},
		{here(), "an array", key[[2]int](), key[[3]int](), fine, "was [3]int and is [2]int", "", ""},
		{here(), "a map's keys", key[map[string]int](), key[map[int]int](), "for its keys", "for its keys", "", ""},
		{here(), "a marshaller", key[own](), key[own2](), "was opaque", "was opaque", "codec.Versioned", "codec.Versioned"},
		{here(), "elements", []nest.Node{nest.List[plain]("k")}, []nest.Node{nest.List[renamed]("k")}, `"name" is gone`, `"title" is gone`, "", ""},
		{here(), "a codec without shapes", key[plain](with(shapeless{})), key[grown](with(shapeless{})), "is no codec.Shaper", "is no codec.Shaper", "", ""},
		{here(), "a codec without shapes, the same type", key[plain](with(shapeless{})), key[plain](with(shapeless{}), nest.TTL(9)), fine, fine, "", ""},
		{here(), "an entry's field", []nest.Node{nest.Stream[int]("k")}, []nest.Node{nest.Stream[int]("k", nest.EntryField("v"))}, `in the field "value"`, `in the field "v"`, `nest.EntryField("value")`, `nest.EntryField("v")`},
		{here(), "an entry per field", []nest.Node{nest.Stream[plain]("k")}, []nest.Node{nest.Stream[plain]("k", nest.EntryPerField())}, "in one field", "in one field", "", ""},
		{here(), "a channel", []nest.Node{nest.Channel[int]("k")}, []nest.Node{nest.Channel[string]("l")}, fine, fine, "", ""},
	}
	for _, c := range changes {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			old, now := release(t, c.old...), release(t, c.now...)
			check := func(from, to lockfile.File, want, way string) {
				t.Helper()
				changes := lockfile.Compare(from, to)
				broken := lockfile.Broken(changes)
				if want == fine {
					require.Empty(t, broken, "row in line %d", c.line)
					return
				}
				require.Contains(t, broken, want, "row in line %d", c.line)
				require.Contains(t, broken, "way out: ")
				require.Contains(t, broken, way, "row in line %d", c.line)
				require.Contains(t, broken, "old values live ")
			}
			check(old, now, c.there, c.way)
			check(now, old, c.back, c.ahead)
		})
	}
}

func TestChangesSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	old := release(t, nest.Cluster("user:<id>", nest.TTL(24*time.Hour), nest.Sub(nest.Key[plain]("profile"), nest.Key[int]("age", nest.TTL(90*time.Minute), nest.AutoRenew()))))
	now := release(t, nest.Cluster("user:<id>", nest.TTL(24*time.Hour), nest.Sub(nest.Key[renamed]("profile"), nest.Key[int]("years"), nest.Key[string]("name"))))
	changes := lockfile.Compare(old, now)
	broken := lockfile.Broken(changes)
	for _, want := range []string{
		"r:user:<id>:age\n", `if it is "r:user:<id>:years" (`, "old values live for up to 1h30m after they were last used",
		"r:user:<id>:profile (", "old values live for up to 24h after they were written",
	} {
		require.Contains(t, broken, want)
	}
	require.Contains(t, lockfile.Fine(changes), "r:user:<id>:name (")
	require.Equal(t, 1, strings.Count(broken, "way out: nest.Was"))
}

// A change can be compatible with what is stored, and not with the programs that still run.
func TestChangesSayWhatProgramsOfBeforeDoNotKnow(t *testing.T) {
	t.Parallel()
	const (
		unfound  = "do not find what is moved there"
		unread   = "do not read that"
		unopened = "read what is sealed as if it were the value"
	)
	printed := codec.Fingerprinted(codec.JSON)
	ready := with(codec.Versioned(codec.Upcoming(printed), codec.Unversioned(codec.Auto)))
	written := with(codec.Versioned(printed, codec.Unversioned(codec.Auto)))
	for _, c := range []struct {
		line     int
		old, now []nest.Node
		want     string // or nothing
	}{
		{here(), key[int](), []nest.Node{nest.Key[int]("l", nest.Was("k"))}, unfound},
		{here(), key[int](), key[int](nest.Was("l")), ""},
		{here(), key[int](nest.Was("l")), []nest.Node{nest.Key[int]("l", nest.Was("k"))}, ""},
		{here(), []nest.Node{nest.Key[int]("k:<p>")}, []nest.Node{nest.Key[int]("k:<q>")}, ""},
		{here(), key[plain](), key[plain](written), unread},
		{here(), key[plain](), key[plain](ready), ""},
		{here(), key[plain](ready), key[plain](written), ""},
		{here(), key[plain](written), key[plain](ready), ""},
		{here(), key[plain](), key[plain](with(codec.JSON)), ""},
		{here(), key[string](), []nest.Node{nest.Secret[string]("k", nest.AcceptPlain())}, unopened},
		{here(), []nest.Node{nest.Secret[string]("k")}, []nest.Node{nest.Secret[string]("k", nest.AcceptPlain())}, ""},
	} {
		changes := lockfile.Compare(release(t, c.old...), release(t, c.now...))
		require.Empty(t, lockfile.Broken(changes), "row in line %d", c.line)
		said := lockfile.Fine(changes)
		for _, warning := range []string{unfound, unread, unopened} {
			if warning == c.want {
				require.Contains(t, said, warning, "row in line %d", c.line)
			} else {
				require.NotContains(t, said, warning, "row in line %d", c.line)
			}
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	text, err := release(t, nest.Key[int]("a"), nest.Key[int]("b")).Text()
	require.NoError(t, err)
	good := string(text)
	conflict := strings.Replace(good, "\t\t{\n\t\t\t\"name\": \"r:b\"", "<<<<<<< HEAD\n=======\n>>>>>>> other\n\t\t{\n\t\t\t\"name\": \"r:b\"", 1)
	for what, c := range map[string]struct{ text, want string }{
		"conflict": {conflict, "merge conflict"},
		"newer":    {strings.Replace(good, `"version": 1`, `"version": 2, "more": true`, 1), "version 2, and this release of nesttest knows those up to 1: update"},
		"none":     {"{}", "no lock file"},
		"empty":    {"", "line 1: it cannot be read"},
		"syntax":   {strings.Replace(good, `"name": "r:b",`, `"name": "r:b"`, 1), "it cannot be read"},
		"type":     {strings.Replace(good, `"name": "r:b"`, `"name": 7`, 1), "it cannot be read"},
		"unknown":  {strings.Replace(good, `"name": "r:b"`, `"nom": "r:b"`, 1), `unknown field "nom"`},
		"twice":    {strings.Replace(good, `"name": "r:b"`, `"name": "r:a"`, 1), `two entries for "r:a"`},
		"more":     {good + "{}", "after top-level value"},
	} {
		_, err := lockfile.Parse([]byte(c.text))
		require.ErrorContains(t, err, c.want, what)
	}
	_, err = lockfile.Parse([]byte(conflict))
	before, _, _ := strings.Cut(conflict, "<<<<<<<")
	line := 1 + strings.Count(before, "\n")
	require.ErrorContains(t, err, fmt.Sprintf("line %d: a merge conflict", line))
}

// What is called compatible is read as what it was, and what is called a misreading is not.
func TestVerdictsAreThoseOfTheCodecs(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		codec    codec.Codec
		old, now any // a value, and what it should be read as
		reads    bool
	}{
		{codec.JSON, plain{"a", 1}, grown{Name: "a", Size: 1}, true},
		{codec.Auto, plain{"a", 1}, cased{"a", 1}, true},
		{gob.Codec, plain{"a", 1}, grown{Name: "a", Size: 1}, true},
		{codec.Auto, plain{"a", 1}, renamed{"a", 1}, false},
		{codec.Auto, plain{"a", 1}, texted{"a", "1"}, false},
		{codec.Auto, held{plain{"a", 1}}, pointed{&plain{"a", 1}}, true},
		{gob.Codec, held{plain{"a", 1}}, pointed{&plain{"a", 1}}, true},
		{codec.JSON, "a", new("a"), true},
		{codec.Auto, "a", new("a"), false},
		{codec.Auto, 7, new(7), true},
		{codec.Auto, uint16(7), int32(7), true},
		{gob.Codec, uint16(7), int32(7), false},
		{codec.Tagged, int8(7), int64(7), true},
		{codec.Tagged, uint8(7), int16(7), true},
		{codec.Auto, 1 << 40, int32(0), false},
		{codec.Auto, 7, "7", true},
		{codec.Auto, []byte("7"), "7", true},
		{codec.JSON, []byte("7"), "7", false},
		{codec.JSON, float32(0.5), 0.5, true},
		{codec.Auto, [2]int{1, 2}, [3]int{1, 2, 0}, true},
		{gob.Codec, [2]int{1, 2}, [3]int{1, 2, 0}, false},
	} {
		was, err := codec.ShapeOf(c.codec, reflect.TypeOf(c.old))
		require.NoError(t, err)
		is, err := codec.ShapeOf(c.codec, reflect.TypeOf(c.now))
		require.NoError(t, err)
		require.Equal(t, c.reads, lockfile.Misread(c.codec.Name(), c.codec.Name(), &was, &is) == nil, "row %d: %s as %s", i, was, is)
		data, err := c.codec.Append(nil, c.old)
		require.NoError(t, err)
		read := reflect.New(reflect.TypeOf(c.now))
		err = c.codec.Decode(data, read.Interface())
		require.Equal(t, c.reads, err == nil && reflect.DeepEqual(c.now, read.Elem().Interface()), "row %d: %s as %s: %v", i, was, is, err)
	}
}
