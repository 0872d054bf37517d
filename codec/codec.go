// Package codec turns Go values into the bytes that Redis stores, and back.
package codec

// Codec turns Go values into bytes and back. A codec is a value without mutable state: it is
// shared by every key that names it and must be safe for concurrent use.
//
// Package codectest holds the rules that an implementation keeps, as tests.
type Codec interface {
	// Name identifies the codec in errors, in descriptions and in the associated data of
	// secrets: "json", "zstd(json)". It does not change between releases.
	Name() string

	// Append appends the encoded form of v to dst and returns the extended slice.
	Append(dst []byte, v any) ([]byte, error)

	// Decode decodes data into the value that v, a non-nil pointer, points to. It neither
	// changes data nor keeps a reference to it after it returns.
	Decode(data []byte, v any) error
}

// TypeTeller is implemented by codecs that store the type beside the value.
type TypeTeller interface {
	// StoredType tells the type of an encoded value in the codec's own words: "datetime".
	StoredType(data []byte) (string, error)
}

// Typed is a codec fixed to one Go type, chosen once and then used without looking at types
// again. Encoded values are strings because Redis commands are made of strings, and a string
// cannot be changed behind the back of a cache.
type Typed[T any] interface {
	// Encode gives the encoded form of v.
	Encode(v T) (string, error)

	// Decode gives the value that data encodes. Errors wrap [ErrDecode] and never hold data.
	Decode(data string) (T, error)
}
