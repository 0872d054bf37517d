package codec_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
)

// TestNoType distinguishes codecs that do not store types from bytes that cannot be decoded.
func TestNoType(t *testing.T) {
	several := codec.Versioned(codec.JSON, codec.Retired, codec.Tagged, codec.Unversioned(codec.Auto))
	for _, row := range []struct {
		codec  codec.Codec
		data   string
		noType bool
	}{
		{codec.JSON, "1", true},
		{codec.Auto, "", true},
		{codec.Unversioned(codec.JSON), "1", true},
		{codec.Upcoming(codec.JSON), "1", true},
		{codec.Versioned(codec.JSON), "\xC1V\x011", true},
		{several, "\xC1V\x031", true},
		{several, "1", true},
		{several, "\xC1V\x02", false},
		{several, "\xC1V\x01{", false},
		{several, "\xC1V\x04", false},
		{codec.Versioned(codec.JSON), "1", false},
		{codec.Tagged, "1", false},
	} {
		_, err := codec.StoredType(row.codec, []byte(row.data))
		require.ErrorIs(t, err, codec.ErrDecode)
		if row.noType {
			require.ErrorIs(t, err, codec.ErrNoType, "%s %q", row.codec.Name(), row.data)
		} else {
			require.NotErrorIs(t, err, codec.ErrNoType, "%s %q", row.codec.Name(), row.data)
		}
	}
	_, err := codec.StoredType(codec.JSON, []byte("1"))
	require.EqualError(t, err, "codec: json: cannot decode a stored type from 1 bytes: this codec does not store types")
}

// TestEncodeErrorNamesWhatAnInterfaceHolds encodes through an any. The error must name the type
// inside.
func TestEncodeErrorNamesWhatAnInterfaceHolds(t *testing.T) {
	anything, err := codec.For[any](codec.Tagged)
	require.NoError(t, err)
	_, err = anything.Encode(make(chan int))
	require.ErrorIs(t, err, codec.ErrEncode)
	require.EqualError(t, err, "codec: tagged: cannot encode chan int: there is no form for chan int")

	var none any
	require.ErrorContains(t, codec.EncodeError("some", &none, "a reason"), "cannot encode nil: ")
	require.ErrorContains(t, codec.EncodeError("some", (*any)(nil), "a reason"), "cannot encode *interface {}: ")
	loop := any(nil)
	loop = &loop
	require.ErrorContains(t, codec.EncodeError("some", loop, "a reason"), "cannot encode *interface {}: ")
}
