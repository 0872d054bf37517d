package codec

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Versioned writes with the first of its codecs and reads what any of them wrote, so that a
// key moves from one codec to the next while old values, and old processes, are still about.
// Versions count from the end: in Versioned(v2, v1) the last one is 1, and to put v3 in front
// changes nothing for the others.
//
// A value begins with three bytes, C1 56 and its version, which no text, JSON, gob,
// MessagePack or CBOR value begins with. Values from before versioning have no such bytes;
// the codec that wrote them goes last, wrapped in [Unversioned]. A codec in front that is
// wrapped in [Upcoming] is read already, and not written yet. One that is no longer needed
// leaves [Retired] in its place.
//
//	codec.Versioned(msgpack.Codec, codec.Unversioned(codec.Auto)) // now, and since ever
//
// A value of a version that is not there is an [ErrDecode]. The name is "versioned" whatever
// the codecs, since it has to outlive them. Versioned panics if there is nothing to write with,
// if a codec is nil, if Unversioned is not the last or Upcoming not in front, and on more than
// 255 versions.
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

// Unversioned marks the codec of values that were written before [Versioned] was in use. By
// itself it is that codec.
func Unversioned(c Codec) Codec { return unversioned{c} }

type unversioned struct{ Codec }

func (u unversioned) CheckType(t reflect.Type) error { return CheckType(u.Codec, t) }

func (u unversioned) FixType(t reflect.Type) Codec { return FixType(u.Codec, t) }

func (u unversioned) StoredType(data []byte) (string, error) { return StoredType(u.Codec, data) }

// Upcoming marks the codec of a version that [Versioned] is to read, and not to write before
// all processes read it. By itself it is that codec.
func Upcoming(c Codec) Codec { return upcoming{c} }

type upcoming struct{ Codec }

func (u upcoming) CheckType(t reflect.Type) error { return CheckType(u.Codec, t) }

func (u upcoming) FixType(t reflect.Type) Codec { return FixType(u.Codec, t) }

func (u upcoming) StoredType(data []byte) (string, error) { return StoredType(u.Codec, data) }

// Retired stands in [Versioned] for a version of which no value is left.
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

// versioned holds the codecs by version. At 0 stands the unversioned one, or nil.
type versioned struct {
	versions []Codec
	write    int
	mark     []byte // of the version that is written; nobody writes to it
}

const (
	versionMark = "\xC1V"
	markSize    = len(versionMark) + 1 // with the version
)

func (*versioned) Name() string { return "versioned" }

func (v *versioned) CheckType(t reflect.Type) error {
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

// FixType fixes each version.
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
	// The mark is full, so that what is appended to it is all made in one piece, in a new place.
	out, err := v.versions[v.write].Append(v.mark, value)
	if err == nil && len(out) == markSize {
		out = bytes.Clone(out) // the value has no bytes
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

// StoredType asks the codec that wrote data.
func (v *versioned) StoredType(data []byte) (string, error) {
	c, rest, err := v.split(data)
	if err != nil {
		return "", decodeError(v.Name(), storedType, len(data), err.Error())
	}
	return StoredType(c, rest)
}

// split finds the codec that wrote data, and what it wrote.
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
