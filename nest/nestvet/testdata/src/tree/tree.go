// Package tree has declarations that are mounted, and some that are not.
package tree

import "github.com/redisimnest/redisimnest/nest"

const name = "constant"

func suffix() string { return "s" }

var (
	mounted = nest.Key[int]("mounted")
	alias   = nest.Key[int]("alias")
	same    = alias
	listed  = nest.Key[int]("listed")
	given   = nest.Key[int]("given")
	lost    = nest.Key[int]("lost")    // want `lost is declared and mounted nowhere: put it into the Sub of a cluster, or its every operation returns ErrNotMounted`
	ignored = nest.Key[int]("ignored") //nest:ignore it shows the error

	Exported = nest.Key[int]("exported") // another package may mount it
	Unseen   = nest.Key[int]("unseen")

	constant = nest.Key[int](name + "s")
	dynamic  = nest.Key[int]("dynamic" + suffix()) // want `the template of dynamic is no constant: what it declares cannot be checked, nor found by its text`

	Cluster = nest.Cluster("tree", nest.Sub(mounted, same, constant, dynamic,
		nest.Key[int]("twin"), nest.Key[string]("twin"), // want `two keys of one cluster have the template "twin", so that they have the same name: the other one is tree.go:26`
		nest.List[int]("<id>"), nest.Key[int]("x:<id>"),
		nest.Cluster("sub", nest.Sub(nest.Key[int]("twin"))), nest.Cluster("sub", nest.Sub(nest.Key[int]("b")))))
	Typed = nest.Cluster("typed", nest.Sub(
		nest.Key[int]("t:<id>", nest.Params(nest.Param[int]("id"))),
		nest.Key[int]("t:<id>", nest.Params(nest.Param[bool]("id")))))
	below = nest.Sub(nest.Key[int]("m"), inVariable)
	Other = nest.Cluster("other", below)

	inVariable = nest.Key[int]("in_variable")
	all        = []nest.Node{listed}
)

// A declaration that is mounted by an option that is passed on can be anywhere.
var (
	handed   = nest.Key[int]("handed")
	inSlice  = nest.Key[int]("in_slice")
	inOption = nest.Key[int]("in_option")
	exported = nest.Key[int]("exported_option")
	renamed  = nest.Key[int]("renamed")
	Renamed  = renamed
	Common   = nest.Sub(exported)
	option   = nest.Sub(inOption)
	options  = []nest.ClusterOption{option}
	_        = nest.Key[int]("nobody")

	ByCall   = nest.Cluster("by_call", shared())
	BySlice  = nest.Cluster("by_slice", list()...)
	checked  = nest.Cluster("checked")
	checkErr = nest.Check(checked)
)

func shared() nest.ClusterOption { return nest.Sub(handed) }

func list() []nest.ClusterOption {
	return []nest.ClusterOption{nest.Sub(inSlice, nest.Key[int]("made"))}
}

func use(nest.Node) {}

func some() { use(given) }

func dynamicHere(name string) *nest.KeyDef[int] { return nest.Key[int](name) }
