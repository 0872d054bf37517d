package nest

import (
	"bytes"
	"slices"
	"strings"
)

// The roles of companions. Each begins with a letter after 'f'.
const (
	// loadRole holds the token of the client that loads the key or, for a while, a note that there
	// was nothing to load. Whoever writes the key deletes it.
	loadRole  = "load"
	tokenRole = "token" // the last token of a lock
	wakeRole  = "wake"  // wakes clients that wait for a lock
	// generationRole holds the number of the current generation of a cluster. It stands beside what
	// its prefix has before the generation, which is no key.
	generationRole = "gen"
)

// keyRoles are the roles of what stands beside keys.
var keyRoles = []string{loadRole, tokenRole, wakeRole}

var roles = append([]string{generationRole}, keyRoles...)

// companion returns the name of a key that serves another one, as a lock serves the key it guards.
// The name begins like the key's, so that the same SCAN pattern and the same ACL rule cover both.
// The companion is in the same slot of a Redis Cluster, so that one script can use both: a key
// without a hash tag becomes the hash tag of its companion. No declaration can ever have such a
// name: in a declared name a '%' is followed by two hexadecimal digits, and a role begins with a
// letter after 'f'.
func companion(key, role string) string {
	if strings.IndexByte(key, '{') >= 0 {
		return key + "%" + role
	}
	return key + "%" + role + "{" + key + "}"
}

// companionTo is companion for a key in a buffer, which it may write to behind the key. It returns
// the companion's name. The key is what that begins with.
func companionTo(key []byte, role string) string {
	size := len(key)
	if bytes.IndexByte(key, '{') >= 0 {
		return string(append(append(key, '%'), role...))
	}
	name := append(append(append(key, '%'), role...), '{')
	return string(append(append(name, name[:size]...), '}'))
}

// companionOf returns the key that a companion serves and the companion's role, if the name is that
// of a companion.
func companionOf(name string) (key, role string, ok bool) {
	rest, tagged := strings.CutSuffix(name, "}")
	if !tagged {
		at := strings.LastIndexByte(name, '%')
		if at < 0 || !slices.Contains(roles, name[at+1:]) {
			return "", "", false
		}
		key, role = name[:at], name[at+1:]
		return key, role, strings.IndexByte(key, '{') >= 0
	}
	before, key, opened := strings.Cut(rest, "{")
	if !opened {
		return "", "", false
	}
	role, ok = strings.CutPrefix(before, key+"%")
	return key, role, ok && slices.Contains(roles, role)
}
