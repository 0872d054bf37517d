package docs

// client stands for the one of go-redis, and app for a package of the service.
var (
	client interface {
		Get(ctx context.Context, key string)
	}
	app struct{ Root *nest.ClusterDef }
)

type User struct{ Name string }

var (
	ID   = nest.Param[int64]("id")
	Cart = nest.List[string]("cart:{<id>}", nest.Params(ID))
	Root = nest.Cluster("root", nest.Sub(Cart))

	root nest.Scope
	f    func(nest.WalkProgress)
)
