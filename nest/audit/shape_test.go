package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/internal/names"
)

func TestShapes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"cart:17:items":       "cart:<n>:items",
		"user_42-x.7":         "user_<n>-x.<n>",
		"v2:page":             "v<n>:page",
		"session:a1b2c3d4e5f": "session:<hex>",
		"job:550e8400-e29b-41d4-a716-446655440000": "job:<uuid>",
		"seen:2026-11-29":                          "seen:<date>",
		"mail:ali@example.org":                     "mail:<email>",
		"t:01ARZ3NDEKTSV4RRFFQ69G5FAV":             "t:<id>",
		"token:dGhpcyBpcyBhIHRlc3QgdmFsdWU":        "token:<id>",
		"raw:\xff\x00":                             "raw:<binary>",
		"a%3Ab:1":                                  "a%3Ab:<n>",
		"::":                                       "::",
		"deadbeef":                                 "deadbeef",
		"été:3":                                    "été:<n>",
		"x:" + strings.Repeat("long-", 20):         "x:<text>",
	} {
		require.Equal(t, want, strings.Join(segments(name, ""), ":"), name)
	}
	require.Equal(t, []string{"t:a1b2c3d4e5f:shop", "cart", "<n>"}, segments("t:a1b2c3d4e5f:shop:cart:1", "t:a1b2c3d4e5f:shop"))
	require.Equal(t, []string{"t:a1b2c3d4e5f:shop", "cart", "<n>"}, split("t:a1b2c3d4e5f:shop:cart:<n>", "t:a1b2c3d4e5f:shop"))
}

// grouped groups names, and returns the shapes with their numbers of keys.
func grouped(list []string) map[string]int64 {
	s := newShapes(3)
	for _, name := range list {
		s.group(segments(name, "")).add(&nest.Inspection{Type: "string"})
	}
	all := make(map[string]int64)
	for _, f := range s.all() {
		all[f.shape()] += f.keys
	}
	return all
}

// Few different words stay, and many become one.
func TestManyWordsBecomeOne(t *testing.T) {
	t.Parallel()
	var list []string
	for i := range 300 {
		list = append(list, "user:"+letters(i)+":age", "user:"+letters(i)+":name", fmt.Sprintf("order:%d", i))
	}
	require.Equal(t, map[string]int64{"user:<name>:age": 300, "user:<name>:name": 300, "order:<n>": 300}, grouped(list))
}

// letters returns a word for a number.
func letters(i int) string {
	word := []byte("aaa")
	for at := range word {
		word[at] += byte(i % 26)
		i /= 26
	}
	return string(word)
}

// The number of shapes has a bound, and no key is lost.
func TestShapesAreBounded(t *testing.T) {
	t.Parallel()
	var list []string
	for i := range 20_000 {
		parts := make([]string, 1+i%12)
		for at := range parts {
			parts[at] = letters(i*31+at*i*7) + strings.Repeat(".", i%(at+2)) + fmt.Sprint(i%3 == 0)
		}
		list = append(list, strings.Join(parts, ":"))
	}
	all := grouped(list)
	require.LessOrEqual(t, len(all), maxShapes)
	n := int64(0)
	for _, keys := range all {
		n += keys
	}
	require.EqualValues(t, len(list), n)
}

func FuzzShapes(f *testing.F) {
	for _, seed := range []string{"a:1:b", "user:550e8400-e29b-41d4-a716-446655440000", "%3A::\xff", "é@x.y", strings.Repeat("a:", 20)} {
		f.Add(seed, "a")
	}
	f.Fuzz(func(t *testing.T, name, prefix string) {
		path := segments(name, prefix)
		for i, part := range path {
			if i == 0 && part == prefix {
				continue
			}
			require.Equal(t, part, names.Printable(part))
		}
		if name != "" {
			require.True(t, slices.Equal(path, split(strings.Join(path, ":"), prefix)) || strings.Contains(prefix, ":") || prefix == "")
		}
		s := newShapes(1)
		for range 2 {
			s.group(path).add(&nest.Inspection{Type: "string"})
		}
		all := s.all()
		require.Len(t, all, 1)
		require.EqualValues(t, 2, all[0].keys)
	})
}
