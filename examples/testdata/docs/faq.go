package docs

var (
	Board = nest.SortedSet[string]("board")
	root  nest.Scope
)

func Start(_ context.Context, client rueidis.Client) (err error) {
	root, err = nest.Open(client, nest.Cluster("faq", nest.Sub(Board)))
	return err
}
