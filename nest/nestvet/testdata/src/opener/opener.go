// Package opener opens the clusters passed to it, as env.Open does.
package opener

import "github.com/redisimnest/redisimnest/nest"

type Config struct{}

func Open(root *nest.ClusterDef, opts ...nest.OpenOption) (nest.Scope, error) {
	return Config{}.Open(root, opts...)
}

func (Config) Open(root *nest.ClusterDef, opts ...nest.OpenOption) (nest.Scope, error) {
	if err := nest.Check(root, opts...); err != nil {
		return nest.Scope{}, err
	}
	return nest.Open(nil, root, opts...)
}

// OpenTenant opens a cluster and goes to one of its clusters.
func OpenTenant(root, tenants *nest.ClusterDef, tenant string) (nest.Scope, error) {
	scope, err := nest.Open(nil, root)
	if err != nil {
		return nest.Scope{}, err
	}
	return tenants.At(scope, tenant), nil
}

// Checked checks a cluster, which can be mounted elsewhere.
func Checked(root *nest.ClusterDef) error { return nest.Check(root) }
