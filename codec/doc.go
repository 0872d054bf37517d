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
// Bytes and nanoseconds for one value, to encode / to decode, with [For]: the number 1234567890,
// a string of 43 bytes, a struct of ten fields, a slice of a hundred integers.
//
//	            int               string            struct               slice
//	auto        10    29 /   23   43    2 /    2    185    762 /  2,370  683   2,060 / 11,450
//	json        10    88 /  146   45  142 /  306    185    742 /  2,190  683   2,035 / 11,940
//	msgpack      5    59 /   80   45   76 /  113    129    396 /    839  483   2,700 /  5,730
//	cbor         5    45 /   58   45   64 /   83    143    324 /    609  482     759 /  2,700
//	protobuf     6    64 /  134   45   86 /  164     71    291 /    472  782   1,730 /  6,280
//	zstd(json)  11   139 /  158   46  177 /  309    186    879 /  2,290  347  10,930 / 14,950
//	tagged      40   130 /  435   75  302 /  462    275  2,750 /  5,150  813   6,290 / 21,150
//	gob          8   454 /  764   47  455 /  747    221  3,550 / 18,400  413   3,180 / 13,850
//
// The best of some runs of "go test -bench Codec ./bench/" with Go 1.26 on two cores of a shared
// machine: good for comparing, not for planning. Of protobuf the struct is another one and the
// slice is of a hundred short strings. The same benchmark holds each codec against the bare
// library that it stands on (Tagged stands on none, and is held against encoding/json). None
// needs more allocations than its library. The look that msgpack takes at the data, before it
// lets the library decode them, takes up to a fifth of the time.
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
