package suite_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/gob"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

// A codec is inherited down the tree until a nearer declaration sets another one.
func TestCodecIsInherited(t *testing.T) {
	t.Parallel()
	far, near, own := nest.Key[string]("far"), nest.Key[string]("near"), nest.Key[string]("own", nest.Codec(codec.Raw))
	deep, list := nest.Key[string]("deep"), nest.List[string]("list")
	inner := nest.Cluster("inner", nest.Codec(codec.JSON), nest.Sub(near, own, list, nest.Cluster("below", nest.Sub(deep))))
	s := nesttest.Open(t, nest.Cluster("codecs", nest.Sub(far, inner)), nest.WithCodec(codec.Tagged))
	db := redis{t, nesttest.Client(t)}

	for _, row := range []struct {
		key  *nest.KeyDef[string]
		want string
	}{
		{far, `{"__type__": "str", "value": "a"}`},
		{near, `"a"`},
		{deep, `"a"`},
		{own, `a`},
	} {
		ref := row.key.At(s)
		require.NoError(t, ref.Set(t.Context(), "a"))
		require.Equal(t, row.want, db.text(ref.Key()))
		got, err := ref.Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, "a", got)
	}
	_, err := list.At(s).PushRight(t.Context(), "a")
	require.NoError(t, err)
	elements, err := db.do("LRANGE", list.At(s).Key(), "0", "-1").AsStrSlice()
	require.NoError(t, err)
	require.Equal(t, []string{`"a"`}, elements)
}

// The codec that wrote a value knows its type. A codec that stores no type reads it as the key's.
func TestStoredType(t *testing.T) {
	t.Parallel()
	several := codec.Versioned(codec.JSON, codec.Tagged, codec.Unversioned(codec.Auto))
	for name, row := range map[string]struct {
		codec  codec.Codec
		stored string
		want   string // empty: it cannot be decoded
	}{
		"tagged":                     {codec.Tagged, `{"__type__": "int", "value": 1}`, "int"},
		"tagged, another type":       {codec.Tagged, `{"__type__": "datetime", "value": "2024-01-02T03:04:05"}`, "datetime"},
		"tagged, a type of Python's": {codec.Tagged, `{"__type__": "OrderedDict", "value": {}}`, "OrderedDict"},
		"tagged, foreign":            {codec.Tagged, "1", ""},
		"auto":                       {codec.Auto, "1", "int"},
		"auto, foreign":              {codec.Auto, "secret", ""},
		"version 0":                  {several, "1", "int"},
		"version 0, foreign":         {several, "secret", ""},
		"version 1":                  {several, "\xC1V\x01" + `{"__type__": "float", "value": 1.0}`, "float"},
		"version 2":                  {several, "\xC1V\x021", "int"},
		"version 2, foreign":         {several, "\xC1V\x02\"secret\"", ""},
		"version 3":                  {several, "\xC1V\x031", ""},
		"no version":                 {codec.Versioned(codec.JSON), "1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := nest.Key[int]("key", nest.Codec(row.codec), nest.Default(7))
			s := nesttest.Open(t, nest.Cluster("types", nest.Sub(key)))
			_, err := key.At(s).StoredType(t.Context())
			require.ErrorIs(t, err, nest.ErrNotFound)

			redis{t, nesttest.Client(t)}.set(key.At(s).Key(), row.stored)
			b := s.Batch()
			future := key.At(s).In(b).StoredType()
			_ = b.Exec(t.Context())
			for _, ask := range []func(context.Context) (string, error){
				key.At(s).StoredType,
				func(context.Context) (string, error) { return future.Value() },
			} {
				got, err := ask(t.Context())
				if row.want == "" {
					require.ErrorIs(t, err, nest.ErrDecode)
					require.NotContains(t, err.Error(), "secret")
					continue
				}
				require.NoError(t, err)
				require.Equal(t, row.want, got)
			}
		})
	}
}

// A value that Python stored is read and written back unchanged through a key of any type.
func TestPythonValue(t *testing.T) {
	t.Parallel()
	key := nest.Key[any]("key")
	s := nesttest.Open(t, nest.Cluster("python", nest.Sub(key)), nest.WithCodec(codec.Tagged))
	db, ref := redis{t, nesttest.Client(t)}, key.At(s)
	const stored = `{"__type__": "dict", "value": {"at": {"__type__": "datetime", "value": "2024-01-02T03:04:05.000006"}, "x": [1.0, "\u2603"]}}`
	db.set(ref.Key(), stored)
	v, err := ref.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, codec.Dict{
		{Key: "at", Value: time.Date(2024, 1, 2, 3, 4, 5, 6000, codec.Naive)}, {Key: "x", Value: []any{1.0, "\u2603"}},
	}, v)
	require.NoError(t, ref.Set(t.Context(), v))
	require.Equal(t, stored, db.text(ref.Key()))
}

// A key moves from one codec to another while processes with both codecs read and write it.
func TestMoveToAnotherCodec(t *testing.T) {
	t.Parallel()
	steps := []codec.Codec{
		codec.Auto,
		codec.Versioned(codec.Upcoming(gob.Codec), codec.Unversioned(codec.Auto)),
		codec.Versioned(gob.Codec, codec.Unversioned(codec.Auto)),
		codec.Versioned(gob.Codec),
	}
	client, prefix := nesttest.Client(t), nesttest.Shared(t).Prefix(t)
	refs := make([]nest.KeyRef[point], len(steps))
	for i, c := range steps {
		key := nest.Key[point]("key", nest.Codec(c))
		s, err := nest.Open(client, nest.Cluster("move", nest.Sub(key)), nest.WithPrefix(prefix))
		require.NoError(t, err)
		refs[i] = key.At(s)
	}
	for i, writer := range refs {
		require.NoError(t, writer.Set(t.Context(), point{i, -i}))
		for j := max(i-1, 0); j <= min(i+1, len(refs)-1); j++ {
			got, err := refs[j].Get(t.Context())
			require.NoError(t, err, "step %d reads what step %d wrote", j, i)
			require.Equal(t, point{i, -i}, got)
			if i == 1 && j == 2 { // rewriting an old value takes one Update
				got, err = refs[j].Update(t.Context(), func(p point, _ bool) (point, error) { return p, nil })
				require.NoError(t, err)
				require.Equal(t, point{i, -i}, got)
				require.Equal(t, "\xC1V\x01", redis{t, client}.text(writer.Key())[:3])
				require.NoError(t, writer.Set(t.Context(), point{i, -i}))
			}
		}
	}
	_, err := refs[0].Get(t.Context())
	require.ErrorIs(t, err, nest.ErrDecode)
}

// A secret moves from one codec to another in the same steps, although it is bound to the name of
// the codec that wrote it. A value that was sealed when Versioned still had one name for all codecs
// still opens.
func TestMoveSecretsToAnotherCodec(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	steps := []codec.Codec{
		codec.Auto,
		codec.Versioned(codec.Upcoming(gob.Codec), codec.Unversioned(codec.Auto)),
		codec.Versioned(gob.Codec, codec.Unversioned(codec.Auto)),
		codec.Versioned(gob.Codec),
	}
	client, prefix := nesttest.Client(t), nesttest.Shared(t).Prefix(t)
	first, second := secure.GenerateKey(), secure.GenerateKey()
	ring := newRing(t, first, secure.AcceptOnly(second))
	secrets, hashes := make([]nest.SecretRef[point], len(steps)), make([]nest.HashRef[point], len(steps))
	for i, c := range steps {
		secret, hash := nest.Secret[point]("secret"), nest.Hash[point]("hash", nest.SecretFields("hidden"))
		s, err := nest.Open(client, nest.Cluster("move", nest.Codec(c), nest.Sub(secret, hash)), nest.WithPrefix(prefix), nest.WithKeyring(ring))
		require.NoError(t, err)
		secrets[i], hashes[i] = secret.At(s), hash.At(s)
	}
	for i := range steps {
		require.NoError(t, secrets[i].Set(ctx, point{i, -i}))
		require.NoError(t, hashes[i].Set(ctx, "hidden", point{i, -i}))
		for j := max(i-1, 0); j <= min(i+1, len(steps)-1); j++ {
			got, err := secrets[j].Get(ctx)
			require.NoError(t, err, "step %d opens what step %d sealed", j, i)
			require.Equal(t, point{i, -i}, got)
			got, err = hashes[j].Get(ctx, "hidden")
			require.NoError(t, err, "step %d opens the field that step %d sealed", j, i)
			require.Equal(t, point{i, -i}, got)
		}
	}
	_, err := secrets[0].Get(ctx)
	require.ErrorIs(t, err, nest.ErrOpen)

	db, ref := redis{t, client}, secrets[2]
	former, err := ring.Seal(nil, []byte(`{"X":7,"Y":8}`), ref.Key(), "", string(nest.KindSecret), "versioned")
	require.NoError(t, err)
	db.set(ref.Key(), string(former))
	for _, r := range secrets[1:3] {
		got, err := r.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, point{7, 8}, got)
	}

	require.NoError(t, secrets[0].Set(ctx, point{9, 9})) // now another key of the keyring seals it
	secret := nest.Secret[point]("secret", nest.Codec(steps[2]))
	s, err := nest.Open(client, nest.Cluster("move", nest.Sub(secret)), nest.WithPrefix(prefix), nest.WithKeyring(newRing(t, second, secure.AcceptOnly(first))))
	require.NoError(t, err)
	rotated, err := secret.At(s).Rotate(ctx)
	require.NoError(t, err)
	require.True(t, rotated)
	got, err := ref.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, point{9, 9}, got)
}
