package docs

var (
	root  nest.Scope
	admin rueidis.Client
	Root  = nest.Cluster("root", nest.Sub(users.Cluster))

	client rueidis.Client
)
