package nest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

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
		if c.generation != "" {
			return checkGeneration(c.generation, d.template, c.hashTag)
		}
		return nil
	})
	return d
}

// Generation makes the last parameter of the cluster's own prefix the generation of everything
// below the cluster. [ClusterDef.Current] returns the scope of the current generation, and
// [ClusterDef.Renew] begins a new one: all keys below the cluster are gone at once for everybody
// who asks for the current one, however many they are, and Redis removes them as they expire.
//
//	Item    = nest.Key[string]("item:<id>")
//	Catalog = nest.Cluster("catalog:<gen>", nest.Generation("gen"), nest.TTL(time.Hour), nest.Sub(Item))
//
//	now, err := Catalog.Current(ctx, root)
//	name, err := Item.At(now, 7).Get(ctx)
//
// The parameter takes any value, or is declared as an int64 ([Params]). At fills it in as any other
// one, so that an older generation can still be looked at, or cleared. Everything below the cluster
// needs a TTL, its own or one inherited from a cluster: [Open] refuses a key without one, since
// nothing else would remove old generations. It also refuses a Generation below another one. The
// cluster itself has no [HashTag], and no braces around the generation, which would put each
// generation into another slot; a cluster above or below it can have one.
//
// # In Redis
//
// The number of the current generation is a string without an expiry, in a key whose name begins
// with what stands before the generation: "root:catalog%gen{root:catalog}". So each tenant of
// "tenant:<t>:catalog:<gen>" has generations of its own, and clusters with the same text before the
// generation share them. Walks leave the number out unless [Companions] is given. [Scope.Clear] of
// a scope above deletes it, with [Where] and [Only] too, where they take the cluster.
//
// A new number is the server's time in milliseconds, and at least one more than the last number. So
// a number that was deleted, evicted or never written is replaced by one that no generation has
// had, unless more than a thousand generations a second have run ahead of the clock. A client that
// finds a smaller number than it has seen before, as after a failover that lost a write, begins a
// new generation. One that has seen no other takes it for the current one.
func Generation(param string) ClusterOption {
	return clusterOption(func(c *config) error {
		switch {
		case c.generation != "":
			return errors.New("Generation is given twice")
		case !names.IsParam(param):
			return fmt.Errorf("Generation(%q): give the name of a parameter, without brackets", param)
		}
		c.generation = param
		return nil
	})
}

// checkGeneration returns an error unless the parameter can be the generation of a cluster with
// this prefix.
func checkGeneration(param string, prefix names.Template, hashTag bool) error {
	last := len(prefix.Slots) - 1
	switch {
	case last < 0 || prefix.Slots[last].Name != param:
		return fmt.Errorf("Generation(%q): the last parameter of the prefix has to be <%s>", param, param)
	case last == 0 && prefix.Slots[0].Literal == "":
		return fmt.Errorf("Generation(%q): the prefix has to begin with a name, as in \"catalog:<%s>\", which the number of the generation is kept beside", param, param)
	}
	open := 0
	for _, s := range prefix.Slots {
		open += strings.Count(s.Literal, "{") - strings.Count(s.Literal, "}")
	}
	if hashTag || open > 0 {
		return fmt.Errorf("Generation(%q): the generation cannot be in a hash tag, which would put each one into another slot: "+
			"put HashTag, or the braces, on a cluster above or below", param)
	}
	return nil
}
