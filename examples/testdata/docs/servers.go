package docs

var (
	Root = Shop

	root   nest.Scope
	option rueidis.ClientOption
)

func Start(_ context.Context, client rueidis.Client) (err error) {
	root, err = nest.Open(client, Shop)
	return err
}
