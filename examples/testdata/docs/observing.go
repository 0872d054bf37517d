package docs

var (
	client rueidis.Client
	Root   = nest.Cluster("root")

	slowOperations interface{ Add(name string, n int64) }
)
