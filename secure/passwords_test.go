package secure

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// quick is a policy for tests that hash often.
var quick = Policy{Memory: 64, Time: 1, Threads: 1}

func newPasswords(t testing.TB, opts ...PasswordOption) *Passwords {
	t.Helper()
	p, err := NewPasswords(quick, append([]PasswordOption{AllowWeak(t)}, opts...)...)
	require.NoError(t, err)
	return p
}
