// Package nestdocker lets package nesttest start servers in Docker, through dockertest. A test
// imports it for that alone:
//
//	import _ "github.com/redisimnest/redisimnest/nest/nesttest/nestdocker"
//
// Then the tests of that binary run in a container of the image REDIS_TEST_IMAGE (default redis:8)
// if a Docker engine is available and REDIS_TEST_SERVER does not choose otherwise, and so do the
// servers that tests start for themselves with [nesttest.Start], [nesttest.Cluster],
// [nesttest.Replicas] and [nesttest.Sentinel]. The image is not pulled if the engine already has
// it. It needs redis-server or valkey-server, and sh. Containers end with the test binary, even if
// it panics, times out or is killed.
//
// The package is in a module of its own, so that a service whose tests do not import it has nothing
// of Docker among its requirements.
//
// [nesttest.Start]: https://pkg.go.dev/github.com/redisimnest/redisimnest/nest/nesttest#Start
// [nesttest.Cluster]: https://pkg.go.dev/github.com/redisimnest/redisimnest/nest/nesttest#Cluster
// [nesttest.Replicas]: https://pkg.go.dev/github.com/redisimnest/redisimnest/nest/nesttest#Replicas
// [nesttest.Sentinel]: https://pkg.go.dev/github.com/redisimnest/redisimnest/nest/nesttest#Sentinel
package nestdocker

import "github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"

func init() { //nolint:gochecknoinits // the import is all that a test does
	engine.Register(&engine.Containers{Start: start, Home: newHome})
}
