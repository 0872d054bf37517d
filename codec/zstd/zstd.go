// Package zstd compresses what another codec stores, through github.com/klauspost/compress.
package zstd

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/redisimnest/redisimnest/codec"
)

const (
	defaultThreshold = 512
	defaultMaxSize   = 64 << 20
)

// The first byte of a stored value tells whether the rest is compressed.
const (
	plain      = 0x00
	compressed = 0x01
)

// Wrap gives a codec that stores values as c does, compressed with Zstandard when they are
// large enough for it to pay: above a threshold (512 bytes by default) and only if it makes
// them smaller. Its name is that of c in "zstd(…)".
//
// A value may decompress to at most 64 MiB by default; a larger one is an error when it is
// written and when it is read, where no more than that is allocated.
func Wrap(c codec.Codec, options ...Option) codec.Codec {
	z := &zstdCodec{inner: c, threshold: defaultThreshold, maxSize: defaultMaxSize, level: zstd.SpeedDefault}
	for _, o := range options {
		o(z)
	}
	z.coder = sync.OnceValues(z.start)
	return z
}

// An Option changes what [Wrap] does by default.
type Option func(*zstdCodec)

// Threshold leaves values of up to n bytes uncompressed. The default is 512.
func Threshold(n int) Option { return func(z *zstdCodec) { z.threshold = max(n, 0) } }

// MaxSize allows values of up to n bytes, uncompressed. The default is 64 MiB, the least 1 KiB.
func MaxSize(n int) Option { return func(z *zstdCodec) { z.maxSize = max(n, 1<<10) } }

// Level sets how hard to compress, as the command zstd counts: from 1, fast, to 22, small. The
// default is 3. Values written at any level can be read at any other.
func Level(n int) Option {
	return func(z *zstdCodec) { z.level = zstd.EncoderLevelFromZstd(n) }
}

type zstdCodec struct {
	inner     codec.Codec
	threshold int
	maxSize   int
	level     zstd.EncoderLevel
	coder     func() (coder, error) // made when first used: the tables are large
}

type coder struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func (z *zstdCodec) start() (coder, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(z.level), zstd.WithEncoderCRC(true))
	if err != nil {
		return coder{}, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(uint64(z.maxSize)))
	return coder{enc, dec}, err
}

func (z *zstdCodec) Name() string { return "zstd(" + z.inner.Name() + ")" }

// CheckType asks the codec inside.
func (z *zstdCodec) CheckType(t reflect.Type) error { return codec.CheckType(z.inner, t) }

// FixType fixes the codec inside.
func (z *zstdCodec) FixType(t reflect.Type) codec.Codec {
	fixed := *z
	fixed.inner = codec.FixType(z.inner, t)
	return &fixed
}

// onlyPlain is full, so that what is appended to it is all made in one piece, in a new place.
// Nobody writes to it.
var onlyPlain = []byte{plain}

func (z *zstdCodec) Append(dst []byte, v any) ([]byte, error) {
	marked, fresh := onlyPlain, cap(dst) == 0
	if !fresh {
		marked = append(dst, plain) //nolint:gocritic // dst itself is needed, too
	}
	out, err := z.inner.Append(marked, v)
	if err != nil {
		return nil, err
	}
	payload := out[len(marked):]
	if len(payload) > min(z.threshold, z.maxSize) {
		small, err := z.compress(payload, v)
		switch {
		case err != nil:
			return nil, err
		case small != nil && fresh:
			return small, nil
		case small != nil:
			return append(out[:len(dst)], small...), nil
		}
	}
	if fresh && len(payload) == 0 {
		return []byte{plain}, nil
	}
	return out, nil
}

// compress gives payload compressed, or nil if that does not pay.
func (z *zstdCodec) compress(payload []byte, v any) ([]byte, error) {
	if len(payload) > z.maxSize {
		return nil, codec.EncodeError(z.Name(), v, fmt.Sprintf("%d bytes, of which %d are allowed", len(payload), z.maxSize))
	}
	if len(payload) <= z.threshold {
		return nil, nil
	}
	coder, err := z.coder()
	if err != nil {
		return nil, codec.EncodeError(z.Name(), v, "the compressor does not start")
	}
	small := coder.enc.EncodeAll(payload, append(make([]byte, 0, len(payload)), compressed))
	if len(small) > len(payload) {
		return nil, nil
	}
	return small, nil
}

func (z *zstdCodec) Decode(data []byte, v any) error {
	payload, reason := z.payload(data)
	if reason != "" {
		return codec.DecodeError(z.Name(), v, data, reason)
	}
	return z.inner.Decode(payload, v)
}

// StoredType asks the codec inside.
func (z *zstdCodec) StoredType(data []byte) (string, error) {
	payload, reason := z.payload(data)
	if reason != "" {
		return "", codec.DecodeError(z.Name(), nil, data, reason)
	}
	return codec.StoredType(z.inner, payload)
}

// payload gives what the codec inside wrote, or why there is none.
func (z *zstdCodec) payload(data []byte) (payload []byte, reason string) {
	if len(data) == 0 {
		return nil, "no bytes"
	}
	switch data[0] {
	case plain:
		return data[1:], ""
	case compressed:
		coder, err := z.coder()
		if err != nil {
			return nil, "the decompressor does not start"
		}
		out, err := coder.dec.DecodeAll(data[1:], nil)
		if err != nil || len(data) == 1 { // of no frame at all the decoder makes no bytes
			return nil, fmt.Sprintf("not compressed data of at most %d bytes", z.maxSize)
		}
		return out, ""
	}
	return nil, "the first byte is neither that of plain nor of compressed data"
}
