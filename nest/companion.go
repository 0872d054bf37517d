package nest

import "strings"

// companion names a key that serves another one, as a lock serves what it guards: it lives in the
// same slot of a Redis Cluster, so that one script reaches both, and no declaration can ever have
// its name. A '%' in a name is followed by two hexadecimal digits, which the role, a word that
// begins beyond 'f', is not; and braces stand only around a [HashTag]'s own prefix.
func companion(key, role string) string {
	if strings.IndexByte(key, '{') >= 0 {
		return key + "%" + role
	}
	return "{" + key + "}%" + role
}
