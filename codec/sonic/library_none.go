//go:build !amd64 && !arm64

package sonic

import "encoding/json"

// supported is false where the library does not even compile.
const supported = false

func marshal(v any) ([]byte, error) { return json.Marshal(v) }

func unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }
