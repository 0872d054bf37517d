// Package keyadmin shows a service's keyspace in a browser: what is declared, what an audit has
// found of it, and what a single key holds. It reads and never writes.
//
//	mux.Handle("/keys/", keyadmin.Handler(root, keyadmin.Allow(isOperator)))
//
// A handler answers nobody whom [Allow] does not let in, and is not made without it. It shows
// values only with [ShowValues], and never those that are sealed or declared as sensitive. Names
// are redacted as the errors of package nest are.
//
// The pages work without scripts, load nothing from elsewhere, and can be used by keyboard, on a
// phone, in the light and in the dark.
package keyadmin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"time"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/audit"
)

// Option is an option of [Handler].
type Option interface{ apply(s *site) error }

type option func(s *site) error

func (f option) apply(s *site) error { return f(s) }

// Allow sets who may see the pages. The function is called for each request, also for assets, and
// may be called by several goroutines at a time. Whoever it does not allow gets the status 403. To
// ask for a password, wrap the handler in what the service uses for that, and let Allow check what
// it leaves in the request.
func Allow(allow func(*http.Request) bool) Option {
	return option(func(s *site) error {
		if allow == nil {
			return errors.New("Allow takes a function")
		}
		s.allow = allow
		return nil
	})
}

// ShowValues makes the page of a key show what it holds, up to 64 KiB of it. The default is to show
// types, sizes and TTLs. Sealed values, and those of keys that are declared as sensitive
// ([nest.Sensitive]), are not shown in any case.
func ShowValues() Option {
	return option(func(s *site) error {
		s.values = true
		return nil
	})
}

// Audit adds options to those of the audits that are started from a page: a pace of 5,000 keys per
// second and an added latency of at most 5 milliseconds ([audit.MaxAddedLatency]), without values.
// A later option of the same kind replaces an earlier one.
func Audit(opts ...audit.Option) Option {
	return option(func(s *site) error {
		s.audits.opts = append(s.audits.opts, opts...)
		return nil
	})
}

// Until makes an audit that is running end when ctx does, such as at the shutdown of the service.
// The default is that it ends by itself, or when it is stopped from the page.
func Until(ctx context.Context) Option {
	return option(func(s *site) error {
		if ctx == nil {
			return errors.New("Until takes a context")
		}
		s.audits.ctx = ctx
		return nil
	})
}

const (
	defaultPace    = 5000
	defaultLatency = 5 * time.Millisecond
)

// Handler returns the pages of a keyspace. They are to be mounted below a path that ends with a
// slash, with or without [http.StripPrefix]. It panics without [Allow], for a nil option or
// function, and for a scope with an error or without a client, since these are mistakes in the
// program. The scope may be one below the root: then the pages are about that part.
//
// An audit runs while nobody waits for it, one at a time, and its last report is kept in memory.
func Handler(scope nest.Scope, opts ...Option) http.Handler {
	s := &site{scope: scope}
	s.audits = &audits{
		ctx:  context.Background(),
		opts: []audit.Option{audit.Walk(nest.KeysPerSecond(defaultPace)), audit.MaxAddedLatency(defaultLatency)},
	}
	for i, opt := range opts {
		if opt == nil {
			panic(fmt.Sprintf("keyadmin: option %d of %d is nil", i+1, len(opts)))
		}
		if err := opt.apply(s); err != nil {
			panic("keyadmin: " + err.Error())
		}
	}
	switch {
	case s.allow == nil:
		panic("keyadmin: Handler needs keyadmin.Allow, which says who may see the keyspace")
	case scope.Err() != nil:
		panic("keyadmin: " + scope.Err().Error())
	case scope.Client() == nil:
		panic("keyadmin: the scope was opened with NamesOnly, and has no client")
	}
	s.lay(scope.Describe())
	return http.NewCrossOriginProtection().Handler(s)
}

// site is the pages of one scope.
type site struct {
	scope  nest.Scope
	allow  func(*http.Request) bool
	values bool
	audits *audits

	rows []row          // of the tree, in the order of declaration
	keys map[string]row // by their full names
}

// ServeHTTP answers by the last part of the path, so that it does not matter where the site is
// mounted: all links between its pages are relative.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	guard(w.Header())
	if !s.allow(r) {
		http.Error(w, "You may not see this.", http.StatusForbidden)
		return
	}
	_, name := path.Split(r.URL.Path)
	page, ok := pages[name]
	switch {
	case !ok:
		http.Error(w, "There is no such page.", http.StatusNotFound)
	case r.Method == http.MethodPost && page.post != nil:
		page.post(s, w, r)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		page.get(s, w, r)
	default:
		w.Header().Set("Allow", page.methods())
		http.Error(w, "The page cannot be asked that way.", http.StatusMethodNotAllowed)
	}
}

// guard sets the headers that keep a page from being framed, kept, or led to load anything.
func guard(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // without a referrer, browsers hide the origin of forms too
	h.Set("Cache-Control", "no-store")
}

// page is what answers requests for one name.
type page struct {
	get  func(*site, http.ResponseWriter, *http.Request)
	post func(*site, http.ResponseWriter, *http.Request) // or nil
}

func (p page) methods() string {
	if p.post != nil {
		return "GET, HEAD, POST"
	}
	return "GET, HEAD"
}

// pages are all pages by the last part of their paths.
var pages = map[string]page{
	"":           {get: (*site).showTree},
	"key":        {get: (*site).showKey, post: (*site).showKey},
	"undeclared": {get: (*site).showUndeclared},
	"audit":      {get: (*site).showAudit, post: (*site).steerAudit},
	"report":     {get: (*site).showReport},
	"style.css":  {get: (*site).sendStyle},
}
