package docs

var (
	Root = nest.Cluster("secrets", nest.Sub(users.Cluster))

	client     rueidis.Client
	root, user nest.Scope
)

func Start(_ context.Context, c rueidis.Client) error {
	ring, err := secure.NewKeyring(secure.GenerateKey())
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
