package keyadmin_test

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/keyadmin"
)

// behindPassword asks for a password before anything else.
func behindPassword(password string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, given, _ := r.BasicAuth()
		if subtle.ConstantTimeCompare([]byte(given), []byte(password)) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="keys"`)
			http.Error(w, "A password is needed.", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// A service mounts the pages behind a password of its own.
func ExampleHandler() {
	mount := func(mux *http.ServeMux, root nest.Scope, password string) {
		pages := keyadmin.Handler(root, keyadmin.Allow(func(r *http.Request) bool {
			_, _, asked := r.BasicAuth()
			return asked // behindPassword has checked it
		}))
		mux.Handle("/keys/", behindPassword(password, pages))
	}
	_ = mount

	refused := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/keys/", nil)
	behindPassword("secret", http.NotFoundHandler()).ServeHTTP(refused, r)
	fmt.Println(refused.Code, refused.Header().Get("WWW-Authenticate"))
	// Output: 401 Basic realm="keys"
}
