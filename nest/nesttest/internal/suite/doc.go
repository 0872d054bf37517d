// Package suite holds the tests of what package nest promises about Redis: they run on every
// kind of server that package nesttest can come by, and do not know on which. It has no code.
//
//	REDIS_TEST_SERVER=embedded go test ./nest/nesttest/suite
package suite
