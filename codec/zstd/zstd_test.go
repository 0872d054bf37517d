package zstd_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	kzstd "github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/codectest"
	"github.com/redisimnest/redisimnest/codec/zstd"
)

func TestConformance(t *testing.T) {
	long := strings.Repeat("the same again and again, ", 100)
	for name, c := range map[string]codec.Codec{
		"default":         zstd.Wrap(codec.JSON),
		"everything":      zstd.Wrap(codec.JSON, zstd.Threshold(0), zstd.MaxSize(1<<20), zstd.Level(19)),
		"in itself":       zstd.Wrap(zstd.Wrap(codec.Auto)),
		"versions inside": zstd.Wrap(codec.Versioned(codec.JSON, codec.Unversioned(codec.Auto))),
	} {
		t.Run(name, func(t *testing.T) {
			codectest.Run(t, c, codectest.Values(nil, long, long[:513]), codectest.Values(nil, []string{long, long}))
		})
	}
	require.Equal(t, "zstd(json)", zstd.Wrap(codec.JSON).Name())
	require.Equal(t, []string{"zstd(versioned)", "zstd(auto)"}, codec.Names(zstd.Wrap(codec.Versioned(codec.JSON, codec.Unversioned(codec.Auto)))))
}

// TestOneFrame decodes more and less than the one frame of a value.
func TestOneFrame(t *testing.T) {
	c := zstd.Wrap(codec.Raw, zstd.MaxSize(1<<20))
	value, err := c.Append(nil, strings.Repeat("again ", 1000))
	require.NoError(t, err)
	frame := string(value[1:])
	skipped := "\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
	empty := "\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"
	require.NoError(t, c.Decode([]byte("\x01"+frame), new(string)))
	require.NoError(t, c.Decode([]byte("\x01"+empty), new(string)))
	for name, data := range map[string]string{
		"twice": frame + frame, "a frame of nothing behind": frame + empty, "in front": empty + frame, "skipped behind": frame + skipped,
		"skipped in front": skipped + frame, "only skipped": skipped, "a byte behind": frame + "\x00", "a frame cut short": frame[:len(frame)-1],
		"no checksum":           frame[:len(frame)-4],
		"a header":              frame[:6],
		"another size":          "\x28\xb5\x2f\xfd\x20\x01\x01\x00\x00",
		"a large window":        "\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00",
		"a reserved block":      "\x28\xb5\x2f\xfd\x20\x00\x07\x00\x00",
		"blocks without an end": "\x28\xb5\x2f\xfd\x20\x00\x00\x00\x00",
	} {
		require.ErrorIs(t, c.Decode([]byte("\x01"+data), new(string)), codec.ErrDecode, name)
	}
}

func TestFirstByte(t *testing.T) {
	c := zstd.Wrap(codec.Raw)
	short := strings.Repeat("a", 512)
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for _, v := range []string{"", "text", short, string(noise)} {
		data, err := c.Append(nil, v)
		require.NoError(t, err)
		require.Equal(t, "\x00"+v, string(data), "too short, or no shorter")
	}
	data, err := c.Append([]byte("before"), short+"a")
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(data, []byte("before\x01")))
	require.Less(t, len(data), 64)
	for _, data := range []string{"", "\x02", "text", "\x01", "\x01text"} {
		require.ErrorIs(t, c.Decode([]byte(data), new(string)), codec.ErrDecode)
		_, err := c.(codec.TypeTeller).StoredType([]byte(data))
		require.ErrorIs(t, err, codec.ErrDecode)
	}
}

func TestWrapsTheQuestions(t *testing.T) {
	require.Error(t, codec.CheckType(zstd.Wrap(codec.Raw), reflect.TypeFor[int]()))
	c := zstd.Wrap(codec.Tagged, zstd.Threshold(10))
	data, err := c.Append(nil, strings.Repeat("a", 100))
	require.NoError(t, err)
	require.Equal(t, byte(1), data[0])
	name, err := codec.StoredType(c, data)
	require.NoError(t, err)
	require.Equal(t, "str", name)
}

// TestBomb decodes a small value that claims to be, and is, a large one.
func TestBomb(t *testing.T) {
	enc, err := kzstd.NewWriter(nil)
	require.NoError(t, err)
	large := make([]byte, 256<<20)
	bomb := append([]byte{1}, enc.EncodeAll(large, nil)...)
	var stream bytes.Buffer
	enc.Reset(&stream) // without a size in the header
	_, err = enc.Write(large)
	require.NoError(t, err)
	require.NoError(t, enc.Close())
	unsized := append([]byte{1}, stream.Bytes()...)

	c := zstd.Wrap(codec.Raw, zstd.MaxSize(1<<20))
	warm, err := c.Append(nil, strings.Repeat("a", 1000))
	require.NoError(t, err)
	require.NoError(t, c.Decode(warm, new([]byte)))
	for _, data := range [][]byte{bomb, unsized} {
		require.Less(t, len(data), 64<<10)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.ErrorIs(t, c.Decode(data, new([]byte)), codec.ErrDecode)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
	}
	_, err = c.Append(nil, strings.Repeat("a", 1<<20+1))
	require.ErrorIs(t, err, codec.ErrEncode)
	data, err := c.Append(nil, strings.Repeat("a", 1<<20))
	require.NoError(t, err)
	require.NoError(t, c.Decode(data, new(string)))
}

func FuzzDecode(f *testing.F) {
	c := zstd.Wrap(codec.Raw, zstd.Threshold(4), zstd.MaxSize(1<<16))
	for _, v := range []string{"", "text", strings.Repeat("again ", 20)} {
		data, err := c.Append(nil, v)
		require.NoError(f, err)
		f.Add(data)
		f.Add(append(data, "\x50\x2a\x4d\x18\x00\x00\x00\x00"...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v string
		if err := c.Decode(data, &v); err != nil {
			require.ErrorIs(t, err, codec.ErrDecode)
			return
		}
		require.LessOrEqual(t, len(v), max(1<<16, len(data)))
		again, err := c.Append(nil, v)
		if err != nil {
			require.Greater(t, len(v), 1<<16)
			return
		}
		var back string
		require.NoError(t, c.Decode(again, &back))
		require.Equal(t, v, back)
	})
}

// TestMarksAreNotShared overwrites the encoded form of an empty value, which must not change the
// mark.
func TestMarksAreNotShared(t *testing.T) {
	c := zstd.Wrap(codec.Raw)
	for range 2 {
		data, err := c.Append(nil, "")
		require.NoError(t, err)
		require.Equal(t, "\x00", string(data))
		data[0] = 1
	}
}

func TestVersionsAreThoseInside(t *testing.T) {
	t.Parallel()
	require.Nil(t, codec.Versions(zstd.Wrap(codec.JSON)))
	versions := codec.Versions(zstd.Wrap(codec.Versioned(codec.JSON, codec.Unversioned(codec.Auto))))
	require.Len(t, versions, 2)
	require.Equal(t, "zstd(json)", versions[0].Codec.Name())
	require.Equal(t, 1, versions[0].Number)
	require.Equal(t, "zstd(auto)", versions[1].Codec.Name())
}
