package docs

var (
	mux        *http.ServeMux
	root       nest.Scope
	isOperator func(*http.Request) bool
	operators  interface {
		Verify(user, password string) bool
	}
)
