// Package examples holds programs that show how Redisimnest is used. The quickstart comes first:
//
//	go run ./examples/quickstart
//	go run ./examples/rotation     # encryption keys rotate while a service runs
//
// The tests here see to it that every snippet of the README is a part of one of them.
package examples
