package stale_test

// The tests run in a container where a Docker engine is available.
import _ "github.com/redisimnest/redisimnest/nest/nesttest/nestdocker"
