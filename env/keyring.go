package env

import (
	"strings"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/secure"
)

// checkKeys adds to found what is wrong with the keys.
func (c Config) checkKeys(found *problems) {
	if text := c.EncryptionKey.Reveal(); text != "" {
		if _, ok := parseFernetKey(text); !ok {
			found.addf("MY_ENCRYPTION_KEY", "must be a Fernet key: 32 bytes, not all zero, as 44 characters of URL-safe base64 without white space")
		}
	}
	source := c.keyringSource()
	source.check(found)
	ring, err := source.read()
	if err != nil || ring == "" {
		return
	}
	name := "NEST_KEYRING"
	if source.file != "" {
		name = "NEST_KEYRING_FILE"
	}
	first := make(map[string]int) // by the id
	for i, text := range strings.Split(ring, ",") {
		key, err := secure.ParseKey(text)
		switch {
		case text == "":
			found.addf(name, "entry %d is empty: separate keys by single commas", i+1)
		case err != nil:
			found.addf(name, "entry %d must be 32 bytes, not all zero, in base64 (43 or 44 characters) or hexadecimal (64 digits) without white space", i+1)
		case first[key.ID()] > 0:
			found.addf(name, "entry %d repeats entry %d: remove one", i+1, first[key.ID()])
		default:
			first[key.ID()] = i + 1
		}
	}
}

// fernetKeyLength is the length of a Fernet key as Python writes it.
const fernetKeyLength = 44

func parseFernetKey(text string) (key secure.Key, ok bool) {
	if len(text) != fernetKeyLength || strings.ContainsAny(text, "+/") {
		return key, false
	}
	key, err := secure.ParseKey(text)
	return key, err == nil
}

// keyringOption returns the keyring that the Config holds, or nil if it holds none. The Config has
// been checked.
func (c Config) keyringOption() (nest.OpenOption, error) {
	var opts []secure.KeyringOption
	text, err := c.keyringSource().read()
	if err != nil {
		return nil, err
	}
	if fernet, ok := parseFernetKey(c.EncryptionKey.Reveal()); ok {
		opts = append(opts, secure.AcceptFernet(fernet))
		if text == "" {
			text = fernet.Reveal()
		}
	}
	if text == "" {
		return nil, nil
	}
	ring, err := secure.ParseKeyring(text, opts...)
	if err != nil {
		return nil, err
	}
	return nest.WithKeyring(ring), nil
}
