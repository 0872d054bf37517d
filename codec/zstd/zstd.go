// Package zstd compresses the output of another codec, through github.com/klauspost/compress.
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

// The first byte of a stored value says whether the rest is compressed.
const (
	plain      = 0x00
	compressed = 0x01
)

// Wrap returns a codec that stores values as c does, compressed with Zstandard if that pays: if
// they are above a threshold (512 bytes by default) and become smaller. Its name is that of c in
// "zstd(…)".
//
// A value may decompress to at most 64 MiB by default. A larger one is an error, both when it is
// written and when it is read. Reading allocates no more than that, besides what the library's
// decoder keeps for itself. A stored value is one frame: several frames or skippable frames are
// refused.
func Wrap(c codec.Codec, options ...Option) codec.Codec {
	z := &zstdCodec{inner: c, threshold: defaultThreshold, maxSize: defaultMaxSize, level: zstd.SpeedDefault}
	for _, o := range options {
		o(z)
	}
	z.coder = sync.OnceValues(z.start)
	return z
}

// An Option changes a default of [Wrap].
type Option func(*zstdCodec)

// Threshold sets the length in bytes up to which values stay uncompressed. The default is 512.
func Threshold(n int) Option { return func(z *zstdCodec) { z.threshold = max(n, 0) } }

// MaxSize allows values of up to n bytes, uncompressed. The default is 64 MiB and the minimum is 1
// KiB.
func MaxSize(n int) Option { return func(z *zstdCodec) { z.maxSize = max(n, 1<<10) } }

// Level sets the compression level, on the scale of the zstd command: from 1, fast, to 22, small.
// The default is 3. Values of every level can be read.
func Level(n int) Option {
	return func(z *zstdCodec) { z.level = zstd.EncoderLevelFromZstd(n) }
}

type zstdCodec struct {
	inner     codec.Codec
	threshold int
	maxSize   int
	level     zstd.EncoderLevel
	coder     func() (coder, error) // made on first use: the tables are large
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
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(uint64(z.maxSize)),
		zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true))
	return coder{enc, dec}, err
}

func (z *zstdCodec) Name() string { return "zstd(" + z.inner.Name() + ")" }

// Names returns the names of the inner codec, each in "zstd(…)".
func (z *zstdCodec) Names() []string {
	names := codec.Names(z.inner)
	for i, name := range names {
		names[i] = "zstd(" + name + ")"
	}
	return names
}

// Versions returns the versions of the inner codec, each in "zstd(…)".
func (z *zstdCodec) Versions() []codec.Version {
	versions := codec.Versions(z.inner)
	for i := range versions {
		one := *z
		one.inner = versions[i].Codec
		versions[i].Codec = &one
	}
	return versions
}

// CheckType calls the inner codec's.
func (z *zstdCodec) CheckType(t reflect.Type) error { return codec.CheckType(z.inner, t) }

// Shape is that of the inner codec.
func (z *zstdCodec) Shape(t reflect.Type) (codec.Shape, error) { return codec.ShapeOf(z.inner, t) }

// FixType fixes the inner codec.
func (z *zstdCodec) FixType(t reflect.Type) codec.Codec {
	fixed := *z
	fixed.inner = codec.FixType(z.inner, t)
	return &fixed
}

// onlyPlain has no spare capacity, so appending to it allocates memory for the whole value at once.
// It is never modified.
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

// compress returns payload compressed, or nil if that does not pay.
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

// StoredType calls the inner codec's.
func (z *zstdCodec) StoredType(data []byte) (string, error) {
	payload, reason := z.payload(data)
	if reason != "" {
		return "", codec.DecodeError(z.Name(), nil, data, reason)
	}
	return codec.StoredType(z.inner, payload)
}

// payload returns what the inner codec wrote, or the reason why there is nothing.
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
		size, ok := z.size(data[1:])
		if !ok {
			return nil, notCompressed(z.maxSize)
		}
		// The decoder writes no more than there is room for, and is faster with some to spare.
		out, err := coder.dec.DecodeAll(data[1:], make([]byte, 0, size+spare))
		if err != nil {
			return nil, notCompressed(z.maxSize)
		}
		return out, ""
	}
	return nil, "the first byte is neither that of plain nor of compressed data"
}

func notCompressed(most int) string {
	return fmt.Sprintf("not one frame of compressed data of at most %d bytes", most)
}

// The parts of the Zstandard format, RFC 8878, that are needed here.
const (
	blockHead  = 3         // bytes in front of a block
	largest    = 128 << 10 // bytes that a block stands for
	checksum   = 4         // after the last block, if there is a checksum
	raw, rle   = 0, 1      // kinds of blocks
	packed     = 2
	lastBlock  = 1
	kindShift  = 1
	kindBits   = 3
	sizeShift  = 3
	spare      = 16
	anyContent = 1 << 62
)

// size returns how many bytes data may decompress to: no more than its header says, nor than its
// blocks can hold. It reports false unless data is exactly one whole frame. The decoder would
// accept several frames, and skippable ones before or after.
func (z *zstdCodec) size(data []byte) (int, bool) {
	var h zstd.Header
	if err := h.Decode(data); err != nil || h.Skippable || h.WindowSize > max(uint64(z.maxSize), zstd.MinWindowSize) {
		return 0, false
	}
	rest, held, certain := data[h.HeaderSize:], 0, 0
	for last := false; !last; {
		if len(rest) < blockHead {
			return 0, false
		}
		head := int(rest[0]) | int(rest[1])<<8 | int(rest[2])<<16
		last = head&lastBlock != 0
		size := head >> sizeShift
		takes := size
		switch head >> kindShift & kindBits {
		case raw:
			certain += size
		case rle:
			certain, takes = certain+size, 1
		case packed:
			size = largest
		default:
			return 0, false
		}
		held += size
		if len(rest) < blockHead+takes || certain > z.maxSize {
			return 0, false
		}
		rest = rest[blockHead+takes:]
	}
	if h.HasCheckSum {
		rest = rest[min(checksum, len(rest)):]
	}
	content := uint64(anyContent)
	if h.HasFCS {
		content = h.FrameContentSize
	}
	if len(rest) > 0 || h.HasFCS && content > uint64(z.maxSize) {
		return 0, false
	}
	return int(min(content, uint64(min(held, z.maxSize)))), true
}
