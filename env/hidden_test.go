package env

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// sentinel is the secret that no output may contain.
const sentinel = "s3ntinelPassw0rd"

// verbs are all verbs of package fmt, with flags that change what they print.
var verbs = []string{
	"%v", "%+v", "%#v", "%s", "%q", "%#q", "%x", "%X", "% x", "%#x", "%d", "%o", "%b", "%c", "%U",
	"%e", "%f", "%g", "%t", "%p", "%T", "%10v", "%-40s", "%.3s", "%z",
}

// printed returns the output of every way of printing v.
func printed(t *testing.T, v any) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, verb := range verbs {
		out[verb] = fmt.Sprintf(verb, v)
	}
	out["Sprint"], out["Sprintln"] = fmt.Sprint(v), fmt.Sprintln(v)
	if b, err := json.Marshal(v); err == nil {
		out["json"] = string(b)
	}
	if b, err := xml.Marshal(v); err == nil {
		out["xml"] = string(b)
	}
	var text, js bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v, slog.Group("g", "v", v))
	slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "v", v, slog.Group("g", "v", v))
	out["slog text"], out["slog json"] = text.String(), js.String()
	return out
}

func TestHiddenIsNeverPrinted(t *testing.T) {
	h := Hide(sentinel)
	type unexported struct {
		h    Hidden
		p    *Hidden
		list []Hidden
		m    map[string]Hidden
	}
	for name, v := range map[string]any{
		"value": h, "pointer": &h, "slice": []Hidden{h}, "map": map[string]Hidden{"k": h}, "any": []any{h},
		"field":      struct{ H Hidden }{h},
		"unexported": unexported{h, &h, []Hidden{h}, map[string]Hidden{"k": h}},
		"config":     Config{URL: h, Password: h, EncryptionKey: h, Keyring: h},
		"in config":  struct{ c *Config }{&Config{URL: h, Password: h, EncryptionKey: h, Keyring: h}},
		"map key":    map[any]int{&h: 1},
	} {
		for how, out := range printed(t, v) {
			require.NotContains(t, out, sentinel, "%s with %s", name, how)
			require.NotContains(t, out, fmt.Sprintf("%x", sentinel), "%s with %s", name, how)
			require.NotContains(t, out, fmt.Sprintf("%X", sentinel), "%s with %s", name, how)
			require.NotContains(t, out, fmt.Sprint([]byte(sentinel)), "%s with %s", name, how)
		}
	}
}

func TestHiddenTellsWhetherItIsSet(t *testing.T) {
	for verb, out := range printed(t, Hide(sentinel)) {
		if verb != "%T" && verb != "%p" {
			require.Contains(t, out, "[redacted]", verb)
		}
	}
	require.Empty(t, Hidden{}.String())
	require.True(t, Hide("").IsZero())
	require.Equal(t, sentinel, Hide(sentinel).Reveal())
	require.Empty(t, Hidden{}.Reveal())

	out, err := json.Marshal(struct {
		Set, Unset Hidden
		Omitted    Hidden `json:",omitzero"`
	}{Set: Hide(sentinel)})
	require.NoError(t, err)
	require.JSONEq(t, `{"Set":"[redacted]","Unset":""}`, string(out))
}
