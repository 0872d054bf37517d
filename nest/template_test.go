package nest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTemplateIsParsed(t *testing.T) {
	for _, c := range []struct {
		text  string
		slots []slot
		end   string
	}{
		{"age", nil, "age"},
		{"user:<user_id>", []slot{{literal: "user:", name: "user_id"}}, ""},
		{"<a>", []slot{{name: "a"}}, ""},
		{"v<major>.<minor>-x", []slot{{literal: "v", name: "major"}, {literal: ".", name: "minor"}}, "-x"},
		{"file:<path...>", []slot{{literal: "file:", name: "path", tail: true}}, ""},
		{"größe:<größe", nil, ""},
	} {
		got, err := parseTemplate(c.text, true)
		if strings.HasPrefix(c.text, "größe:<") {
			require.ErrorContains(t, err, "no closing '>'")
			continue
		}
		require.NoError(t, err, c.text)
		require.Equal(t, c.slots, got.slots, c.text)
		require.Equal(t, c.end, got.end, c.text)
	}
}

func TestTemplateIsRefused(t *testing.T) {
	for _, c := range []struct{ text, why string }{
		{"user:{user_id}", "a parameter is written <user_id>, not {user_id}"},
		{"user:{User Id}", "a parameter is written <user_id>"},
		{"a}b", "reserved for hash tags"},
		{"a{b", "reserved for hash tags"},
		{"a*b", `'*' at byte 1 is not allowed`},
		{"a?b", "not allowed"},
		{"a[b", "not allowed"},
		{"a]b", "not allowed"},
		{`a\b`, "not allowed"},
		{"a%b", "not allowed"},
		{"a b", "white space"},
		{"a\u00a0b", "white space"},
		{"a\nb", "white space"},
		{"a\x00b", "control characters"},
		{"a\x7fb", "control characters"},
		{"a\xffb", "not valid UTF-8"},
		{":a", "begins or ends with ':'"},
		{"a:", "begins or ends with ':'"},
		{"a::b", "empty segment at byte 2"},
		{"<a><b>", "<a> and <b> stand side by side"},
		{"<a>:<a>", "<a> appears twice"},
		{"<A>", "lower-case"},
		{"<1a>", "lower-case"},
		{"<>", "lower-case"},
		{"<a", "no closing '>'"},
		{"a>b", "closes no parameter"},
		{"<a...>:b", "must be the end"},
		{"<a....>", "lower-case"},
		{"", "cannot be empty"},
	} {
		_, err := parseTemplate(c.text, true)
		require.ErrorContains(t, err, c.why, "%q", c.text)
	}
	_, err := parseTemplate("files:<path...>", false)
	require.ErrorContains(t, err, "can only end a key's template")
	_, err = parseTemplate("", false)
	require.NoError(t, err)
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"age", "user:<user_id>", "<a>-<b>", "file:<path...>", "user:{id}", "a::b", "<", ">", "é:<x>", "\xff", "<a><b>"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, text string, key bool) {
		parsed, err := parseTemplate(text, key)
		if err != nil {
			return
		}
		// A parsed template says exactly what was written.
		var b strings.Builder
		for _, s := range parsed.slots {
			b.WriteString(s.literal + "<" + s.name)
			if s.tail {
				b.WriteString("...")
			}
			b.WriteString(">")
		}
		b.WriteString(parsed.end)
		require.Equal(t, text, b.String())
	})
}
