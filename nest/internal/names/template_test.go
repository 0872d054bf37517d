package names

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTemplateIsParsed(t *testing.T) {
	for _, c := range []struct {
		text  string
		slots []Slot
		end   string
	}{
		{"age", nil, "age"},
		{"user:<user_id>", []Slot{{Literal: "user:", Name: "user_id"}}, ""},
		{"<a>", []Slot{{Name: "a"}}, ""},
		{"v<major>.<minor>-x", []Slot{{Literal: "v", Name: "major"}, {Literal: ".", Name: "minor"}}, "-x"},
		{"file:<path...>", []Slot{{Literal: "file:", Name: "path", Tail: true}}, ""},
		{"cart:{<id>}", []Slot{{Literal: "cart:{", Name: "id"}}, "}"},
		{"{user:<id>}:cart", []Slot{{Literal: "{user:", Name: "id"}}, "}:cart"},
		{"{<a>:<b>}:<c...>", []Slot{{Literal: "{", Name: "a"}, {Literal: ":", Name: "b"}, {Literal: "}:", Name: "c", Tail: true}}, ""},
		{"<a>{<b>}<c>", []Slot{{Name: "a"}, {Literal: "{", Name: "b"}, {Literal: "}", Name: "c"}}, ""},
		{"größe:<größe", nil, ""},
	} {
		got, err := Parse(c.text, true)
		if strings.HasPrefix(c.text, "größe:<") {
			require.ErrorContains(t, err, "no closing '>'")
			continue
		}
		require.NoError(t, err, c.text)
		require.Equal(t, c.slots, got.Slots, c.text)
		require.Equal(t, c.end, got.End, c.text)
		require.Equal(t, strings.Contains(c.text, "{"), got.Tag, c.text)
	}
}

func TestTemplateIsRefused(t *testing.T) {
	for _, c := range []struct{ text, why string }{
		{"user:{user_id}", "the braces {user_id} hold no parameter: a parameter is written <user_id>"},
		{"user:{User Id}", "a parameter is written <user_id>"},
		{"user:{tenant}:<id>", "HashTag on a cluster of that name"},
		{"{}<a>", "hold no parameter"},
		{"a}b", "'}' at byte 1 closes no '{'"},
		{"<a>}", "'}' at byte 3 closes no '{'"},
		{"a{b", "'{' at byte 1 is not closed"},
		{"a{<b>", "'{' at byte 1 is not closed"},
		{"a{<b}>", "is no parameter"},
		{"{<a>", "is not closed"},
		{"{<a>{<b>}}", "braces cannot stand within braces"},
		{"{<a>}:{<b>}", "a name has one hash tag"},
		{"{<a>}}", "closes no '{'"},
		{"{:<a>}", "begins or ends with ':'"},
		{"{<a>:}", "begins or ends with ':'"},
		{"a:{:<a>}", "empty segment"},
		{"{<a...>}", "must be the end"},
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
		_, err := Parse(c.text, true)
		require.ErrorContains(t, err, c.why, "%q", c.text)
	}
	_, err := Parse("files:<path...>", false)
	require.ErrorContains(t, err, "can only end a key's template")
	_, err = Parse("", false)
	require.NoError(t, err)
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"age", "user:<user_id>", "<a>-<b>", "file:<path...>", "user:{id}", "cart:{<id>}", "{u:<id>}:x", "{<a>}{<b>}", "a::b", "<", ">", "é:<x>", "\xff", "<a><b>"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, text string, key bool) {
		parsed, err := Parse(text, key)
		if err != nil {
			return
		}
		// A parsed template contains exactly what was written.
		var b strings.Builder
		for _, s := range parsed.Slots {
			b.WriteString(s.Literal + "<" + s.Name)
			if s.Tail {
				b.WriteString("...")
			}
			b.WriteString(">")
		}
		b.WriteString(parsed.End)
		require.Equal(t, text, b.String())
		require.Equal(t, parsed.Tag, strings.Count(text, "{") == 1 && strings.Count(text, "}") == 1)
		require.LessOrEqual(t, strings.Count(text, "{"), 1)
	})
}
