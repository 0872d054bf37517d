package docs

// app and users stand for packages of the service.
var (
	app   struct{ Root *nest.ClusterDef }
	users struct{ Visits *nest.CounterDef[int64] }

	Root   = nest.Cluster("root")
	ring   *secure.Keyring
	hasher *secure.Passwords

	t *testing.T
)
