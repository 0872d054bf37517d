package codec

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Versioned returns a codec that writes with the first of its codecs and reads what any of them
// wrote. A key can thus move from one codec to the next while old values and old processes still
// exist. Versions count from the end: in Versioned(v2, v1) the last one is 1, and putting v3 in
// front changes nothing for the others.
//
// A value begins with three bytes, C1 56 and its version. No text, JSON, gob, MessagePack or CBOR
// value begins so. Values from before versioning lack these bytes; the codec that wrote them goes
// last, wrapped in [Unversioned]. If the codec in front is wrapped in [Upcoming], it is already
// read but not yet written. A codec that is no longer needed is replaced by [Retired].
//
//	codec.Versioned(msgpack.Codec, codec.Unversioned(codec.Auto)) // now, and always before
//
// Values from before versioning that may begin with any bytes cannot be distinguished from
// versioned ones: []byte under [Auto] and [Raw], strings under Raw, and protocol buffer messages.
// Unversioned with such a codec is refused for such a type at the declaration; use another key for
// these values. The same holds for any other codec with a method AnyBytes(reflect.Type) bool that
// returns true. Strings under Auto are assumed to be UTF-8, which never begins so.
//
// A value of an unknown version is an [ErrDecode]. The name is "versioned" for any codecs,
// since it must outlive them. [Names] also returns the names of the codecs from before versioning,
// so that secrets can move too. Versioned panics if there is no codec to write with, if a codec is
// nil, if Unversioned is not last or Upcoming not first, or if there are more than 255 versions.
func Versioned(newest Codec, older ...Codec) Codec {
	all := append([]Codec{newest}, older...)
	v := versioned{versions: []Codec{nil}}
	if plain, ok := all[len(all)-1].(unversioned); ok {
		if plain.Codec == nil {
			panic("codec: Versioned: the codec in Unversioned is nil")
		}
		v.versions[0] = plain.Codec
		all = all[:len(all)-1]
	}
	ahead := false
	for _, c := range slices.Backward(all) {
		next, unwritten := c.(upcoming)
		switch {
		case unwritten:
			ahead, c = true, next.Codec
		case ahead:
			panic("codec: Versioned: Upcoming stands behind a codec that is in use")
		default:
			v.write = len(v.versions)
		}
		if c == nil {
			panic("codec: Versioned: a codec is nil")
		}
		if _, plain := c.(unversioned); plain {
			panic("codec: Versioned: Unversioned is not the last codec")
		}
		v.versions = append(v.versions, c)
	}
	if len(v.versions) > 256 {
		panic("codec: Versioned: there are more than 255 versions")
	}
	if writer := v.versions[v.write]; writer == nil || writer == Retired {
		panic("codec: Versioned: there is no codec to write with")
	}
	mark := [markSize]byte([]byte(versionMark + "\x00"))
	mark[markSize-1] = byte(v.write)
	v.mark = mark[:]
	return &v
}

// Unversioned marks the codec of values that were written before [Versioned] was in use. On its own
// it behaves as c.
func Unversioned(c Codec) Codec { return unversioned{c} }

type unversioned struct{ Codec }

func (u unversioned) CheckType(t reflect.Type) error { return CheckType(u.Codec, t) }

func (u unversioned) Names() []string { return Names(u.Codec) }

func (u unversioned) AnyBytes(t reflect.Type) bool { return anyBytes(u.Codec, t) }

func (u unversioned) FixType(t reflect.Type) Codec { return FixType(u.Codec, t) }

func (u unversioned) StoredType(data []byte) (string, error) { return StoredType(u.Codec, data) }

// Upcoming marks the codec of a version that [Versioned] is to read but not to write until all
// processes read it. On its own it behaves as c.
func Upcoming(c Codec) Codec { return upcoming{c} }

type upcoming struct{ Codec }

func (u upcoming) CheckType(t reflect.Type) error { return CheckType(u.Codec, t) }

func (u upcoming) Names() []string { return Names(u.Codec) }

func (u upcoming) AnyBytes(t reflect.Type) bool { return anyBytes(u.Codec, t) }

func (u upcoming) FixType(t reflect.Type) Codec { return FixType(u.Codec, t) }

func (u upcoming) StoredType(data []byte) (string, error) { return StoredType(u.Codec, data) }

// Retired stands in [Versioned] for a version that no value has any more.
var Retired Codec = retired{}

type retired struct{}

const retiredReason = "this version is retired"

func (retired) Name() string { return "retired" }

func (r retired) Append(_ []byte, v any) ([]byte, error) {
	return nil, EncodeError(r.Name(), v, retiredReason)
}

func (r retired) Decode(data []byte, v any) error {
	return DecodeError(r.Name(), v, data, retiredReason)
}

func (r retired) StoredType(data []byte) (string, error) {
	return "", decodeError(r.Name(), storedType, len(data), retiredReason)
}

// versioned holds the codecs by version. Index 0 holds the unversioned one, or nil.
type versioned struct {
	versions []Codec
	write    int
	mark     []byte // of the version that is written; never modified
}

const (
	versionMark = "\xC1V"
	markSize    = len(versionMark) + 1 // including the version
)

func (*versioned) Name() string { return "versioned" }

// Names returns the name of versioned values and the names of values from before versioning, with
// those of what is written first.
func (v *versioned) Names() []string {
	names := []string{v.Name()}
	if v.versions[0] == nil {
		return names
	}
	old := Names(v.versions[0])
	if v.write == 0 {
		return append(old, names...)
	}
	return append(names, old...)
}

// Versions returns the version that is written, then the others that are read.
func (v *versioned) Versions() []Version {
	list := []Version{{Number: v.write, Codec: v.versions[v.write]}}
	for n, c := range slices.Backward(v.versions) {
		if n != v.write && c != nil && c != Retired {
			list = append(list, Version{n, c, n > v.write})
		}
	}
	return list
}

func (v *versioned) CheckType(t reflect.Type) error {
	if old := v.versions[0]; old != nil && anyBytes(old, t) {
		return fmt.Errorf("unversioned, %s: values of %s may begin with any bytes, also with those that mark a version: use another key", old.Name(), t)
	}
	for n, c := range v.versions {
		if c == nil {
			continue
		}
		if err := CheckType(c, t); err != nil {
			return fmt.Errorf("version %d, %s: %w", n, c.Name(), err)
		}
	}
	return nil
}

// anyBytes reports whether c may encode values of type t so that they begin with any bytes.
func anyBytes(c Codec, t reflect.Type) bool {
	teller, ok := c.(interface{ AnyBytes(t reflect.Type) bool })
	return ok && teller.AnyBytes(t)
}

// FixType fixes the codec of each version.
func (v *versioned) FixType(t reflect.Type) Codec {
	fixed := versioned{versions: slices.Clone(v.versions), write: v.write, mark: v.mark}
	for n, c := range fixed.versions {
		if c != nil {
			fixed.versions[n] = FixType(c, t)
		}
	}
	return &fixed
}

func (v *versioned) Append(dst []byte, value any) ([]byte, error) {
	if v.write == 0 {
		return v.appendPlain(dst, value)
	}
	if cap(dst) > 0 {
		dst = append(dst, versionMark...)
		return v.versions[v.write].Append(append(dst, byte(v.write)), value)
	}
	// The mark has no spare capacity, so appending to it allocates memory for the whole value
	// at once.
	out, err := v.versions[v.write].Append(v.mark, value)
	if err == nil && len(out) == markSize {
		out = bytes.Clone(out) // the value is empty
	}
	return out, err
}

// appendPlain writes a value without a version.
func (v *versioned) appendPlain(dst []byte, value any) ([]byte, error) {
	out, err := v.versions[0].Append(dst, value)
	if err == nil && bytes.HasPrefix(out[len(dst):], []byte(versionMark)) {
		return nil, EncodeError(v.Name(), value, "it would be stored as if it had a version")
	}
	return out, err
}

func (v *versioned) Decode(data []byte, value any) error {
	if len(data) >= markSize && string(data[:len(versionMark)]) == versionMark {
		if n := int(data[markSize-1]); 0 < n && n < len(v.versions) {
			return v.versions[n].Decode(data[markSize:], value)
		}
	}
	c, rest, err := v.split(data)
	if err != nil {
		return DecodeError(v.Name(), value, data, err.Error())
	}
	return c.Decode(rest, value)
}

// StoredType calls the codec that wrote data.
func (v *versioned) StoredType(data []byte) (string, error) {
	c, rest, err := v.split(data)
	if err != nil {
		return "", decodeError(v.Name(), storedType, len(data), err.Error())
	}
	return StoredType(c, rest)
}

// split returns the codec that wrote data, and what it wrote.
func (v *versioned) split(data []byte) (Codec, []byte, error) {
	if !bytes.HasPrefix(data, []byte(versionMark)) {
		if v.versions[0] == nil {
			return nil, nil, errors.New("the value has no version")
		}
		return v.versions[0], data, nil
	}
	if len(data) < markSize {
		return nil, nil, errors.New("the value ends before its version")
	}
	n := int(data[markSize-1])
	if n == 0 || n >= len(v.versions) {
		return nil, nil, fmt.Errorf("version %d is not known", n)
	}
	return v.versions[n], data[markSize:], nil
}
