// Package codec turns Go values into the bytes that Redis stores, and back.
//
// # Which codec
//
// [Auto], the default, is right for most keys: scalars as redis-cli shows them, which Redis can
// also count with, and JSON for structs, slices and maps.
//
//   - [JSON] where every reader of the key should find JSON, strings in quotes included.
//   - codec/msgpack and codec/cbor where size or speed counts and people seldom look at the
//     values. MessagePack is the smaller one and more common; CBOR is the faster one, a standard
//     of the IETF, and equal values are always equal bytes.
//   - codec/protobuf where the messages exist already, or other languages read them.
//   - codec/zstd around any other codec, for values of a kilobyte and more.
//   - [Tagged] for keys that are shared with the Python library, and for an any that has to
//     come back as the type that it was.
//   - [Text] and [Raw] where a key should hold nothing but text, or nothing but the bytes given.
//   - [Gob] for what is in gob already. Each value describes its type, so that one struct takes
//     more time than with any other codec.
//
// Bytes, and nanoseconds to encode / to decode with [For]: the number 1234567890, a string of 43
// bytes, a struct of ten fields, a slice of a hundred integers.
//
//	            int                string            struct                slice
//	auto        10    39 /    15   43    4 /     4   185  1,150 /  2,900   683   2,600 / 13,300
//	json        10   108 /   231   45  186 /   440   185  1,120 /  2,900   683   2,500 / 13,600
//	msgpack      5    79 /    85   45  119 /   186   129    604 /  1,050   483   3,600 /  5,300
//	cbor         5    56 /    63   45  109 /   117   143    571 /    871   482   1,100 /  2,900
//	protobuf     6    91 /   108   45  129 /   170    71    411 /    678   782   2,300 /  7,500
//	zstd(json)  11   115 /   246   46  206 /   458   186  1,190 /  2,900   347  12,200 / 16,900
//	tagged      40   126 /   452   75  203 /   475   275  1,130 /  2,640   813   2,600 /  9,600
//	gob          8   874 / 1,360   47  912 / 1,270   221  4,800 / 20,200   413   3,700 / 16,100
//
// Medians of "go test -bench Codec ./bench/" with Go 1.26 on two cores of a shared machine: good
// for comparing, not for planning. Of protobuf the struct is another one and the slice is of a
// hundred short strings. The same benchmark holds each codec against the bare library that it
// stands on, which none exceeds in allocations; docs/codecs.md has the figures.
//
// # Moving a key from one codec to another
//
// Values live on in the old form until they are written again, and old processes go on writing
// it until they are gone. [Versioned] reads both, and [Upcoming] has it read what is not written
// yet, so that each process reads what those before and after it write:
//
//	nest.Codec(codec.Auto)                                                                // so far
//	nest.Codec(codec.Versioned(codec.Upcoming(msgpack.Codec), codec.Unversioned(codec.Auto)))
//	nest.Codec(codec.Versioned(msgpack.Codec, codec.Unversioned(codec.Auto)))
//	nest.Codec(codec.Versioned(msgpack.Codec))       // once no old value is left
//
// The next codec goes in front in the same way: Versioned(Upcoming(v2), v1), Versioned(v2, v1),
// Versioned(v2, Retired).
//
// # Errors
//
// What cannot be decoded is an [ErrDecode], never a zero value, and what cannot be encoded an
// [ErrEncode]. Types that a codec can never hold are refused by [For], before there is any
// value. [ErrNoType] tells that [StoredType] was asked of a codec without types. The text of an
// error names codec, Go type, length and reason, and nothing of the value.
package codec
