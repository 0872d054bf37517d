package env

import (
	"maps"
	"slices"
	"strings"
)

// misnomers maps names that other programs, images and platforms use to the variables that are read
// here.
var misnomers = map[string]string{
	"REDIS_PASSWORD":  "REDIS_PASS",
	"REDIS_PASSWD":    "REDIS_PASS",
	"REDIS_PWD":       "REDIS_PASS",
	"REDIS_AUTH":      "REDIS_PASS",
	"REDIS_USER":      "REDIS_USERNAME",
	"REDIS_USER_NAME": "REDIS_USERNAME",
	"REDIS_ACL_USER":  "REDIS_USERNAME",

	"REDIS_HOSTNAME":  "REDIS_HOST",
	"REDIS_SERVER":    "REDIS_HOST",
	"REDIS_ADDR":      "REDIS_ADDRS",
	"REDIS_ADDRESS":   "REDIS_ADDRS",
	"REDIS_ADDRESSES": "REDIS_ADDRS",
	"REDIS_HOSTS":     "REDIS_ADDRS",
	"REDIS_NODES":     "REDIS_ADDRS",
	"REDIS_CLUSTER":   "REDIS_ADDRS",
	"REDIS_ENDPOINT":  "REDIS_ADDRS",
	"REDIS_SENTINEL":  "REDIS_ADDRS",
	"REDIS_SENTINELS": "REDIS_ADDRS",

	"REDIS_CLUSTER_NODES":  "REDIS_ADDRS",
	"REDIS_SENTINEL_HOST":  "REDIS_ADDRS",
	"REDIS_SENTINEL_HOSTS": "REDIS_ADDRS",
	"REDIS_SENTINEL_ADDRS": "REDIS_ADDRS",
	"REDIS_SENTINEL_NODES": "REDIS_ADDRS",

	"REDIS_PASSWORD_FILE": "REDIS_PASS_FILE",

	"REDIS_URI":               "REDIS_URL",
	"REDIS_DSN":               "REDIS_URL",
	"REDIS_CONNECTION_STRING": "REDIS_URL",

	"REDIS_DATABASE": "REDIS_DB",
	"REDIS_DB_INDEX": "REDIS_DB",
	"REDIS_INDEX":    "REDIS_DB",

	"REDIS_SSL":         "REDIS_TLS",
	"REDIS_USE_TLS":     "REDIS_TLS",
	"REDIS_USE_SSL":     "REDIS_TLS",
	"REDIS_TLS_ENABLED": "REDIS_TLS",
	"REDIS_TLS_CA":      "REDIS_TLS_CA_FILE",
	"REDIS_CA_CERT":     "REDIS_TLS_CA_FILE",
	"REDIS_TLS_CERT":    "REDIS_TLS_CERT_FILE",
	"REDIS_TLS_KEY":     "REDIS_TLS_KEY_FILE",

	"REDIS_MASTER_NAME":             "REDIS_SENTINEL_MASTER",
	"REDIS_MASTER_SET":              "REDIS_SENTINEL_MASTER",
	"REDIS_SENTINEL_MASTER_NAME":    "REDIS_SENTINEL_MASTER",
	"REDIS_SENTINEL_MASTER_SET":     "REDIS_SENTINEL_MASTER",
	"REDIS_SENTINEL_SERVICE":        "REDIS_SENTINEL_MASTER",
	"REDIS_SENTINEL_PASSWORD":       "REDIS_SENTINEL_PASS",
	"REDIS_SENTINEL_USER":           "REDIS_SENTINEL_USERNAME",
	"REDIS_SENTINEL_AUTH":           "REDIS_SENTINEL_PASS",
	"REDIS_SENTINEL_PASSWD":         "REDIS_SENTINEL_PASS",
	"REDIS_SENTINEL_REDIS_PASSWORD": "REDIS_PASS",
}

// checkUnread returns a problem for each variable that is set but not read and seems to stand for
// one that is not set. It may be another name for that one or a typing error: a letter more, less
// or different, or two exchanged.
func (c Config) checkUnread(vars map[string]string) problems {
	read := slices.Sorted(maps.Values(variables()))
	read = append(read, fileVariable)
	var found problems
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if slices.Contains(read, name) {
			continue
		}
		meant := misnomers[name]
		for i := 0; meant == "" && i < len(read); i++ {
			if isTypo(name, read[i]) {
				meant = read[i]
			}
		}
		if meant != "" && !c.says(meant, vars) {
			found.addf(name, "is not read: did you mean %s?", meant)
		}
	}
	return found
}

// says reports whether a variable is not needed: it is set, or another variable says the same.
func (c Config) says(variable string, vars map[string]string) bool {
	if vars[variable] != "" {
		return true
	}
	url := vars["REDIS_URL"] != ""
	switch variable {
	case "NEST_KEYRING":
		return vars["NEST_KEYRING_FILE"] != ""
	case "NEST_KEYRING_FILE":
		return vars["NEST_KEYRING"] != ""
	case "REDIS_HOST", "REDIS_PORT", "REDIS_ADDRS":
		return url || vars["REDIS_ADDRS"] != "" || variable == "REDIS_ADDRS" && vars["REDIS_HOST"] != ""
	case "REDIS_URL":
		return vars["REDIS_HOST"] != "" || vars["REDIS_ADDRS"] != ""
	case "REDIS_DB", "REDIS_TLS", "REDIS_SENTINEL_MASTER":
		return url
	case "REDIS_USERNAME", "REDIS_PASS", "REDIS_PASS_FILE":
		if variable != "REDIS_USERNAME" && vars["REDIS_PASS"]+vars["REDIS_PASS_FILE"] != "" {
			return true
		}
		option, err := parseURL(c.URL.Reveal())
		return url && (err != nil || option.Username != "" || option.Password != "")
	}
	return false
}

// isTypo reports whether name is other with a letter more, less or different, or with two
// exchanged. Names with different beginnings are taken for those of other programs.
func isTypo(name, other string) bool {
	prefix, _, _ := strings.Cut(other, "_")
	if name == other || !strings.HasPrefix(name, prefix+"_") {
		return false
	}
	for len(name) > 0 && len(other) > 0 && name[0] == other[0] {
		name, other = name[1:], other[1:]
	}
	for len(name) > 0 && len(other) > 0 && name[len(name)-1] == other[len(other)-1] {
		name, other = name[:len(name)-1], other[:len(other)-1]
	}
	return len(name) <= 1 && len(other) <= 1 ||
		len(name) == 2 && len(other) == 2 && name[0] == other[1] && name[1] == other[0]
}
