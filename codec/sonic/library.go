//go:build amd64 || arm64

package sonic

import "github.com/bytedance/sonic"

// supported reports whether the library does the work itself, with this version of Go.
const supported = sonic.APIKind == sonic.UseSonicJSON

// api is strict about names: of fields that a struct does not have, the library would skip the
// values without looking at their escapes.
var api = sonic.Config{
	EscapeHTML:            true,
	SortMapKeys:           true,
	CompactMarshaler:      true,
	CopyString:            true,
	ValidateString:        true,
	DisallowUnknownFields: true,
	CaseSensitive:         true,
}.Froze()

func marshal(v any) ([]byte, error) { return api.Marshal(v) }

func unmarshal(data []byte, v any) error { return api.Unmarshal(data, v) }
