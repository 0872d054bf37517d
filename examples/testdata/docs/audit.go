package docs

var (
	root   nest.Scope
	report audit.Report
)
