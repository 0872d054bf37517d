package env

import (
	"errors"
	"strings"

	"github.com/redis/rueidis"
)

// mounted is a secret that a file can hold in place of a variable, as Kubernetes and Docker mount
// secrets.
type mounted struct {
	variable string
	value    Hidden
	file     string // the value of the variable with _FILE
}

func (c Config) passwordSource() mounted { return mounted{"REDIS_PASS", c.Password, c.PasswordFile} }

func (c Config) keyringSource() mounted { return mounted{"NEST_KEYRING", c.Keyring, c.KeyringFile} }

// read returns the secret, or "" if there is none. The error names the variable, and nothing that
// the file holds.
func (m mounted) read() (string, error) {
	if m.file == "" {
		return m.value.Reveal(), nil
	}
	content, err := readRegular(m.file)
	if err != nil {
		return "", &Error{Problems: []Problem{{Variable: m.variable + "_FILE", Message: "the file it names: " + err.Error(), Err: err}}}
	}
	// Editors and echo end a file with a line break that does not belong to the secret.
	text := strings.TrimRight(string(content), "\r\n")
	if text == "" {
		return "", &Error{Problems: []Problem{{Variable: m.variable + "_FILE", Message: "the file it names is empty"}}}
	}
	return text, nil
}

// check adds to found what is wrong with the file.
func (m mounted) check(found *problems) {
	if m.file == "" {
		return
	}
	if !m.value.IsZero() {
		found.addf(m.variable+"_FILE", "%s is set too: remove one of them", m.variable)
		return
	}
	if _, err := m.read(); err != nil {
		wrong, _ := errors.AsType[*Error](err)
		*found = append(*found, wrong.Problems...)
	}
}

// credentials returns what reads the password again for each connection, so that the file can be
// replaced while the service runs.
func (c Config) credentials(username string) func(rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
	return func(rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
		password, err := c.passwordSource().read()
		return rueidis.AuthCredentials{Username: username, Password: password}, err
	}
}
