package nest

import (
	"slices"
	"strings"
)

// The roles of companions. Each begins with a letter beyond 'f'.
const (
	// loadRole holds the token of who loads the key or, for a while, that there was nothing to
	// load. Whoever writes the key deletes it.
	loadRole  = "load"
	tokenRole = "token" // the last token of a lock
	wakeRole  = "wake"  // wakes who waits for a lock
)

var roles = []string{loadRole, tokenRole, wakeRole}

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

// companionOf gives the key that a companion serves, if the name is that of one.
func companionOf(name string) (key string, ok bool) {
	at := strings.LastIndexByte(name, '%')
	if at < 0 || !slices.Contains(roles, name[at+1:]) {
		return "", false
	}
	if key = name[:at]; strings.HasPrefix(key, "{") && strings.HasSuffix(key, "}") {
		key = key[1 : len(key)-1]
	}
	return key, true
}
