// Package watching holds the tests of package watch on every kind of server. It has no code.
package watching
