package nestscs_test

import (
	"fmt"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nestscs"
)

// A session is declared as everything else, and found in the tree.
func Example() {
	session := nestscs.Key("session:<token>", nest.Doc("A visitor's session."))
	root := nest.Cluster("shop", nest.Sub(session))

	serve := func(scope nest.Scope, mux *http.ServeMux) http.Handler {
		manager := scs.New()
		manager.Store = nestscs.New(scope, session)
		return manager.LoadAndSave(mux)
	}
	_ = serve

	scope, err := nest.Open(nil, root, nest.NamesOnly())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(scope.Describe())
	// Output:
	// shop
	// └─ session:<token>  value []uint8  [sensitive]  — A visitor's session.
}
