package main

import (
	"tree"

	"github.com/redisimnest/redisimnest/nest"
)

var (
	root   = nest.Cluster("root", nest.Sub(tree.Cluster, tree.Other, tree.Exported))
	Admin  = nest.Cluster("admin", nest.Sub(Below)) // another program may open it
	Below  = nest.Key[int]("below")
	Orphan = nest.Key[int]("orphan")
)

func main() {
	nest.Open(nil, root) // want `tree.Unseen \(tree.go:20\) is declared beside what is opened here and mounted nowhere: put it into the Sub of a cluster, or its every operation returns ErrNotMounted` `tree.Renamed \(tree.go:45\) is declared beside` `main.Orphan \(main.go:13\) is declared beside what is opened here`
}
