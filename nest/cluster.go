package nest

import "errors"

// ClusterDef declares a named group of keys and clusters under one prefix.
type ClusterDef struct {
	Declaration
}

// Cluster declares a cluster. The prefix is a template such as "user:<user_id>". It may be empty:
// then the cluster groups its contents, and passes settings on to them, without a segment of its
// own. The segments of a name are joined by ':'. Braces around a part of the prefix that has a
// parameter, as in "{user:<user_id>}", are the hash tag, see [HashTag].
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
		if c.hashTag && d.template.Tag {
			return errors.New("HashTag puts the prefix in braces, and it has braces already: keep one of them")
		}
		return nil
	})
	return d
}
