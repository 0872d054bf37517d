package docs

var (
	root   nest.Scope
	reload func()
	forget func(user int64)
)
