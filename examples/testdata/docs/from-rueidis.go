package docs

var (
	client rueidis.Client
	root   nest.Scope
)

func Start(_ context.Context, c rueidis.Client) (err error) {
	client = c
	root, err = nest.Open(c, Root)
	return err
}
