// Package auditing holds the tests of package audit on every kind of server. It has no code.
package auditing
