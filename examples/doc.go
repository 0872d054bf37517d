// Package examples holds programs that show how to use Redisimnest. Begin with the quickstart:
//
//	go run ./examples/quickstart
//	go run ./examples/rotation     # encryption keys rotate while a service runs
//	go run ./examples/fromgoredis  # what go-redis has stored is declared, read and written
//	go run ./examples/migration    # keys are renamed and retyped while a service runs
//	go run ./examples/keyctl tree  # a service's command line over its own keyspace
//	go run ./examples/audit        # what is in a Redis, held against the declarations
//	go run ./examples/shop         # a service to copy, a module of its own
//
// The tests here also compile the snippets of the README and of the pages in docs, and follow their
// links.
package examples
