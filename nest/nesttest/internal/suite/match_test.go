package suite_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

// Every name that the library wrote leads back to the declaration and the parameters that it was
// made from. They lead to the same name again.
func TestMatchOnLiveData(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, _ := open(t)
	type origin struct {
		def    nest.Node
		params []string
	}
	want := map[string]origin{}
	for i, h := range hostile {
		id := int64(i - 5)
		require.NoError(t, session.At(s, id, h).Set(ctx, login{Device: h, At: time.Unix(0, 0).UTC()}))
		want[session.At(s, id, h).Key()] = origin{session, []string{fmt.Sprint(id), h}}
		require.NoError(t, line.At(s, h, i+1).Set(ctx, h))
		want[line.At(s, h, i+1).Key()] = origin{line, []string{h, fmt.Sprint(i + 1)}}
		require.NoError(t, part.At(s, "parts", h, h).Set(ctx, h))
		want[part.At(s, "parts", h, h).Key()] = origin{part, []string{"parts", h, h}}
	}
	require.Len(t, want, 3*len(hostile), "different parameters, different names")

	segments := strings.Count(part.At(s, "parts", "x", "y").Key(), ":")
	got := map[string]origin{}
	for m, err := range s.Keys(ctx) {
		require.NoError(t, err)
		_, params := m.Params()
		got[m.Key()] = origin{m.Def(), params}
		require.Equal(t, segments, strings.Count(m.Key(), ":"), "a parameter ends its segment in %q", m.Key())
		again, err := s.Match(m.Key())
		require.NoError(t, err)
		require.Equal(t, m, again)
	}
	require.Equal(t, want, got)
}

func TestMatchRefusesWhatNobodyDeclares(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for _, key := range []string{
		"", ":", "root", "root:user", "root:user:42", "root:user:42:nam", "root:user:42:names", "root:user:me:name",
		"root:user::name", "root:user:042:name", "root:user:+1:name", "root:user:42:name:", "root:user:42:session:a:b",
		"root:user:42:session:%3a", "root:user:42:session:%", "root:user:42:session:\x00", "root:user:9223372036854775808:name",
		"oot:user:42:name", "root:paper:1:draft", "root:{paper:1:draft", "root:{paper:1}:draft2",
	} {
		full := s.Prefix()[:len(s.Prefix())-len("root")] + key
		m, err := s.Match(full)
		require.ErrorIs(t, err, nest.ErrNoMatch, "%q", key)
		require.Nil(t, m.Def(), "%q", key)
	}
	for _, key := range []string{"root:user:42:name", "root:{paper:1}:draft", "root:user:-1:age"} {
		full := s.Prefix()[:len(s.Prefix())-len("root")] + key
		m, err := s.Match(full)
		require.NoError(t, err, "%q", key)
		require.NotNil(t, m.Def())
		_, err = user.At(s, 43).Match(full)
		require.ErrorIs(t, err, nest.ErrNoMatch, "it is not below that scope")
	}
}
