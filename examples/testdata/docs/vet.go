package docs

var (
	ctx  context.Context
	root nest.Scope
)
