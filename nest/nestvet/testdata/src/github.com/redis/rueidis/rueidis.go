// Package rueidis is the client.
package rueidis

import "github.com/redis/rueidis/internal/cmds"

type Builder = cmds.Builder
