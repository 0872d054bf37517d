// Package later declares in its init.
package later

import "github.com/redisimnest/redisimnest/nest"

var (
	Late    *nest.KeyDef[int]
	Cluster *nest.ClusterDef
)

func init() {
	Late = nest.Key[int]("late:<id>")
	Cluster = nest.Cluster("later", nest.Sub(Late))
}
