package docs

const keys = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="

var (
	Root = nest.Cluster("root", nest.Sub(app.Cluster, users.Cluster))

	client     rueidis.Client
	root, user nest.Scope
)

func Start(_ context.Context, c rueidis.Client) error {
	ring, err := secure.ParseKeyring(keys)
	if err != nil {
		return err
	}
	hasher, err := secure.NewPasswords(secure.Minimum())
	if err != nil {
		return err
	}
	client = c
	root, err = nest.Open(client, Root, nest.WithKeyring(ring), nest.WithPasswords(hasher))
	user = users.Cluster.At(root, 42)
	return err
}
