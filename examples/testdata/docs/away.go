package docs

var (
	client rueidis.Client
	Root   = nest.Cluster("root", nest.Sub(users.Cluster))
)
