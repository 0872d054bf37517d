// Package accounts knows who may log in, and who is logged in.
package accounts

import (
	"errors"
	"regexp"
	"time"

	"github.com/redisimnest/redisimnest/examples/shop/tenant"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nestscs"
)

// Name is the name of an account.
var Name = nest.Param[string]("name", nest.Validate(valid))

var (
	// Password is hashed, and sealed for its account.
	Password = nest.Password("password", nest.Doc("what an account logs in with"))
	// Tries slows down who guesses a password. While Redis is away, each process counts for itself.
	Tries = nest.Limiter("tries", nest.Rate(5, time.Minute), nest.WhenDown(nest.AllowLocal), nest.Doc("logins, right or wrong"))
	// Account is all that belongs to one name.
	Account = nest.Cluster("account:<name>", nest.Params(Name), nest.Sub(Password, Tries))

	// Session lives until scs ends it. Its token is never shown.
	Session = nestscs.Key("session:<token>", nest.Doc("one login on one device"))

	// Cluster is what this package stores for a tenant.
	Cluster = nest.Cluster("accounts:<tenant>", nest.Params(tenant.ID), nest.Sub(Account, Session))
)

var names = regexp.MustCompile(`^[a-z][a-z0-9]{1,31}$`)

func valid(name string) error {
	if !names.MatchString(name) {
		return errors.New("a name is 2 to 32 letters and digits")
	}
	return nil
}
