// Package codec turns Go values into the bytes that Redis stores, and back.
//
// # Which codec
//
// [Auto], the default, is right for most keys: scalars as redis-cli shows them, so that Redis can
// also increment numbers, and JSON for structs, slices and maps.
//
//   - [JSON] where every reader of the key should find JSON, including quoted strings.
//   - codec/sonic where reading JSON takes too much time, on amd64 and arm64.
//   - codec/msgpack and codec/cbor where size or speed counts and people seldom look at the values.
//     MessagePack is smaller and more common. CBOR is faster and an IETF standard, and encodes
//     equal values as equal bytes.
//   - codec/protobuf where the messages already exist, or other languages read them.
//   - codec/zstd around any other codec, for values of a kilobyte and more.
//   - [Tagged] for keys that are shared with the Python library, and for an any that must come back
//     with the type that it had.
//   - [Text] and [Raw] where a key should hold only text, or only the given bytes.
//   - codec/gob for data that is already in gob. Each value describes its type, so one struct takes
//     more time than with any other codec.
//
// The table shows bytes, and nanoseconds to encode / to decode with [For], for the number
// 1234567890, a string of 43 bytes, a struct of ten fields, and a slice of a hundred integers.
//
//	            int                string            struct                slice
//	auto        10    20 /     9   43    3 /     3   185    606 /  1,740   683   1,460 /  7,840
//	json        10    23 /    13   45   50 /    28   185    583 /  1,740   683   1,440 /  7,690
//	msgpack      5    44 /    45   45   65 /    86   129    375 /    599   483   2,430 /  3,830
//	cbor         5    35 /    38   45   58 /    68   143    263 /    467   482     589 /  1,720
//	protobuf     6    44 /    79   45   64 /    97    71    209 /    376   782   1,320 /  4,150
//	zstd(json)  11    43 /    27   46   54 /    62   186    665 /  1,720   347   6,390 /  9,990
//	tagged      40    79 /   288   75  103 /   294   275    569 /  1,530   813   1,540 /  6,930
//	gob          8   387 /   638   47  461 /   762   221  2,610 / 11,400   413   2,040 /  9,500
//
// Medians of "go test -bench RatioCodec -benchtime 40x ./bench/" with Go 1.26 on two cores of a
// shared machine: good for comparison, not for planning. For protobuf the struct is a different
// one, and the slice holds a hundred short strings. The same benchmark compares each codec with the
// bare library under it; none allocates more than the library. See docs/codecs.md for the figures.
//
// # Moving a key from one codec to another
//
// Values keep the old form until they are written again, and old processes keep writing it until
// they are gone. [Versioned] reads both forms, and [Upcoming] makes it read a form that is not
// written yet. So each process reads what its predecessors and successors write:
//
//	nest.Codec(codec.Auto)                                                                // so far
//	nest.Codec(codec.Versioned(codec.Upcoming(msgpack.Codec), codec.Unversioned(codec.Auto)))
//	nest.Codec(codec.Versioned(msgpack.Codec, codec.Unversioned(codec.Auto)))
//	nest.Codec(codec.Versioned(msgpack.Codec))       // once no old value is left
//
// The next codec is put in front in the same way: Versioned(Upcoming(v2), v1), Versioned(v2, v1),
// Versioned(v2, Retired).
//
// # Errors
//
// What cannot be decoded is an [ErrDecode], never a zero value, and what cannot be encoded is an
// [ErrEncode]. [For] refuses types that a codec can never hold, before there is any value.
// [ErrNoType] means that [StoredType] was called for a codec that stores no types. The text of an
// error names the codec, the Go type, the length and the reason, and contains nothing of the value.
package codec
