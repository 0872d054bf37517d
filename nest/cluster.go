package nest

import "errors"

// ClusterDef declares a named group of keys and clusters under one prefix.
type ClusterDef struct {
	Declaration
}

// Cluster declares a cluster. The prefix is a template, "user:<user_id>"; it may be empty, and
// then the cluster groups what is in it, and passes settings on, without a segment of its own.
// The segments of a name are joined by ':'.
//
// Cluster panics, with the file and line of the call, on a malformed template or option.
func Cluster(prefix string, opts ...ClusterOption) *ClusterDef {
	d := &ClusterDef{}
	d.declare(d, KindCluster, "Cluster", prefix, caller(), func(c *config) error {
		if err := applyClusterOptions(opts)(c); err != nil {
			return err
		}
		if c.hashTag && prefix == "" {
			return errors.New("HashTag needs a prefix to put in braces")
		}
		return nil
	})
	return d
}

// At gives the scope of the cluster below s. args are the parameters that are still open
// between s and the cluster, as in [KeyDef.At]. It never fails: what is wrong is what
// [Scope.Err], and every operation on or below the scope, returns.
func (d *ClusterDef) At(s Scope, args ...any) Scope {
	if d == nil {
		return Scope{err: nilDeclaration(s)}
	}
	m, name, err := d.at(&s, args)
	return Scope{at: m, prefix: name, err: err}
}
