// Package users has the name of another package.
package users

import "github.com/redisimnest/redisimnest/nest"

var At = nest.Param[int]("at")
