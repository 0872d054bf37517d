// Package app declares the data that the quickstart keeps about itself.
package app

import "github.com/redisimnest/redisimnest/nest"

// The keys of the application, and the cluster that holds them. The keys live for 80 seconds unless
// they say otherwise.
var (
	Tokens       = nest.Key[[]string]("tokens", nest.Default([]string{}))
	PendingUsers = nest.Key[[]int64]("pending_users", nest.Doc("users who have not confirmed their address"))
	Banner       = nest.Key[string]("banner", nest.NoTTL())

	Cluster = nest.Cluster("app", nest.TTL(80), nest.Sub(Tokens, PendingUsers, Banner))
)
