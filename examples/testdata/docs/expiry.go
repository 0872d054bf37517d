package docs

var root nest.Scope

func Start(_ context.Context, client rueidis.Client) (err error) {
	root, err = nest.Open(client, nest.Cluster("expiry", nest.Sub(User)))
	return err
}
