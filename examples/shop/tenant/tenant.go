// Package tenant has what all packages of the shop must agree on: how a tenant is named.
package tenant

import (
	"errors"
	"regexp"

	"github.com/redisimnest/redisimnest/nest"
)

// ID is the first parameter of every key that belongs to a tenant. All of them, and nothing else,
// are found with nest.Where(tenant.ID.Of("acme")).
var ID = nest.Param[string]("tenant", nest.Validate(valid))

var ids = regexp.MustCompile(`^[a-z][a-z0-9]{1,31}$`)

func valid(id string) error {
	if !ids.MatchString(id) {
		return errors.New("a tenant is 2 to 32 letters and digits")
	}
	return nil
}
