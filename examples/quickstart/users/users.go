// Package users declares the data that the quickstart keeps about a user.
package users

import (
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// Login is the data of a session.
type Login struct {
	Device string    `json:"device"`
	At     time.Time `json:"at"`
}

// The parameters of the keys below, with the Go types that they take.
var (
	ID    = nest.Param[int64]("user_id")
	Token = nest.Param[string]("token", nest.Sensitive())
)

// The keys of one user, and the cluster that holds them.
var (
	Age     = nest.Key[int]("age", nest.Default(0))
	Name    = nest.Key[string]("name", nest.Default("Unknown"))
	Session = nest.Key[Login]("session:<token>", nest.TTL(24*time.Hour), nest.AutoRenew())

	Password = nest.Password("password", nest.NoTTL())
	APIKey   = nest.Secret[string]("api_key", nest.NoTTL())

	Cluster = nest.Cluster("user:<user_id>", nest.TTL(120), nest.Params(ID, Token),
		nest.Sub(Age, Name, Session, Password, APIKey))
)
