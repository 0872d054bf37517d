package proof_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/acl"
	source "github.com/redisimnest/redisimnest/nest/internal/operations"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// partly are the operations that a reader can run, though not in every case to the end: see
// [acl.Refused].
var partly = []string{"GetOrLoad", "Verify", "VerifyDetail", "Rotate"}

// A user with the read-only rules can run the operations of every kind that only read, and is
// refused all others. Its operations change nothing, not even a TTL. [acl.Refused] lists the
// operations that seem to read and are refused.
func TestAReaderReadsAndNothingElse(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	server.Need(t, nesttest.ACL)
	for _, renewing := range []bool{false, true} {
		own := nesttest.Open(t, root, openOptions(t)...)
		var extra []nest.OpenOption
		if !renewing {
			extra = append(extra, nest.NoRenew())
		}
		s, refused := readerOf(t, server, own, extra...)
		c, db := caller{hashOf(t, own)}, database{t, nesttest.Client(t)}
		for _, cluster := range []*nest.ClusterDef{plain, renewed} {
			for _, sub := range subjects {
				for _, op := range operationsOf(t, sub.typ) {
					if op.Effect == source.Free {
						continue
					}
					label := cluster.Template() + "/" + sub.typ + "." + op.Name
					at := func(s nest.Scope, of string) keyRef { return sub.at(cluster.At(s), of+op.Name, 1) }
					refs := []keyRef{at(own, ""), at(own, "other.")}
					if sub.fill != nil {
						for _, ref := range refs {
							require.NoError(t, sub.fill(t.Context(), ref), label)
							if sub.typ == "HyperLogLogRef" { // it remembers the count
								require.NoError(t, db.do("PFCOUNT", ref.Key()).Error())
							}
							db.setTTL(ref.Key(), runningTTL)
						}
					}
					before := db.dumps(refs)
					err := c.call(t.Context(), sub.typ, op.Name, at(s, ""), at(s, "other."))
					assert.Equal(t, before, db.dumps(refs), "%s changed something", label)

					template := strings.SplitAfter(at(own, "").Key(), cluster.Template())[0]
					denied := err != nil && (strings.Contains(err.Error(), "NOPERM") || strings.Contains(err.Error(), "ACL failure"))
					listed := slices.ContainsFunc(refused, func(r acl.Refusal) bool {
						before, _, named := strings.Cut(r.Template, ":<op>")
						return strings.HasPrefix(r.Template, template) && named &&
							strings.HasPrefix(before[strings.LastIndex(before, ":")+1:], kindWord(sub)) &&
							slices.Contains(r.Operations, op.Name)
					})
					reads := op.Effect == source.Renews || op.Effect == source.Keeps && !strings.HasPrefix(op.Name, "ExpireFields") && !slices.Contains([]string{"PersistFields", "Publish"}, op.Name)
					switch {
					case slices.Contains(partly, op.Name):
						assert.False(t, denied && !renewing, "%s: %v", label, err)
					case reads && !listed:
						assert.False(t, denied, "%s is refused, and not listed: %v", label, err)
					default:
						// If the key exists, SetIfAbsent knows that before it writes anything.
						assert.True(t, denied || op.Name == "SetIfAbsent" || err != nil && op.Needs != "", "%s is not refused: %v", label, err)
					}
				}
			}
		}
	}
}

// kindWord is the literal part of a subject's template.
func kindWord(sub subject) string {
	word, _, _ := strings.Cut(strings.ToLower(strings.TrimSuffix(sub.typ, "Ref")), " ")
	switch word {
	case "key":
		return "value"
	case "sortedset":
		return "sorted"
	}
	return word
}

// readerOf opens a tree as a read-only user, and returns the operations that the user is refused.
func readerOf(t *testing.T, server *nesttest.Server, own nest.Scope, extra ...nest.OpenOption) (nest.Scope, []acl.Refusal) {
	t.Helper()
	rules, err := acl.Rules(own, acl.ReadOnly, acl.On(t.Context(), server.Client(t)))
	require.NoError(t, err)
	opts := append(openOptions(t), nest.WithPrefix(strings.TrimSuffix(own.Prefix(), ":proof")))
	s, err := nest.Open(server.ClientOf(t, rules), root, append(opts, extra...)...)
	require.NoError(t, err)
	refused, err := acl.Refused(s, acl.ReadOnly)
	require.NoError(t, err)
	return s, refused
}

// dumps returns the contents of some keys, and whether they have more time left than they were
// given.
func (d database) dumps(refs []keyRef) []string {
	d.t.Helper()
	var all []string
	for _, ref := range refs {
		dump, err := d.do("DUMP", ref.Key()).ToString()
		if !rueidis.IsRedisNil(err) {
			require.NoError(d.t, err)
		}
		if d.ttl(ref.Key()) > runningTTL {
			dump += " with a TTL that was restarted"
		}
		all = append(all, dump)
	}
	return all
}

// The server refuses a reader everything beyond its rights, however the reader asks.
func TestRulesReachNoFurther(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	server.Need(t, nesttest.ACL)
	own := nesttest.Open(t, root, openOptions(t)...)
	admin := server.Client(t)
	for _, mode := range []acl.Mode{acl.ReadOnly, acl.ReadWrite} {
		rules, err := acl.Rules(own, mode, acl.On(t.Context(), admin))
		require.NoError(t, err)
		client := server.ClientOf(t, rules)
		inside, outside := value.At(plain.At(own), "x", 1).Key(), strings.TrimSuffix(own.Prefix(), ":proof")+":neighbour"
		require.NoError(t, value.At(plain.At(own), "x", 1).Set(t.Context(), "x"))
		do := func(key string, words ...string) error {
			cmd := client.B().Arbitrary(words[0])
			if key != "" {
				cmd = cmd.Args(words[1:]...).Keys(key)
				return client.Do(t.Context(), cmd.Build()).Error()
			}
			return client.Do(t.Context(), cmd.Args(words[1:]...).Build()).Error()
		}
		require.NoError(t, do(inside, "GET"))
		for _, words := range [][]string{
			{"GET"}, {"EXISTS"}, {"UNLINK"}, {"EVAL", "return redis.call('GET', KEYS[1])", "1"}, {"EVAL_RO", "return redis.call('GET', KEYS[1])", "1"},
			{"DUMP"}, {"PTTL"}, {"WATCH"},
		} {
			require.ErrorContains(t, do(outside, words...), "NOPERM", "%v of a neighbour's key", words)
		}
		for _, words := range [][]string{
			{"FLUSHALL"}, {"FLUSHDB"}, {"KEYS", "*"}, {"CONFIG", "GET", "maxmemory"}, {"ACL", "LIST"}, {"SHUTDOWN", "NOW"},
			{"SCRIPT", "FLUSH"}, {"MONITOR"}, {"CLIENT", "LIST"}, {"CLIENT", "KILL", "ID", "1"}, {"CLUSTER", "RESET"}, {"PUBLISH", "neighbour", "x"},
		} {
			require.ErrorContains(t, do("", words...), "NOPERM", "%v", words)
		}
		for _, cmd := range []rueidis.Completed{
			client.B().Subscribe().Channel("neighbour").Build(), client.B().Psubscribe().Pattern("*").Build(),
		} {
			require.ErrorContains(t, client.Receive(t.Context(), cmd, func(rueidis.PubSubMessage) {}), "NOPERM", "%v", cmd.Commands())
		}
		for _, words := range [][]string{{"SORT"}, {"SETEX", "x", "1"}, {"OBJECT", "FREQ"}, {"MIGRATE"}} {
			require.Error(t, do(inside, words...), "%v, which no operation sends", words)
		}
		script := "return redis.call('SET', KEYS[1], 'y')"
		err = do(inside, "EVAL", script, "1")
		if mode == acl.ReadOnly {
			require.Error(t, err, "a reader's script writes nothing")
		} else {
			require.NoError(t, err)
		}
	}
}

// The rules know which commands only read. The server agrees.
func TestTheServerKnowsReadsAsReads(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	server.Need(t, nesttest.ACL)
	admin := server.Client(t)
	own := nesttest.Open(t, root, openOptions(t)...)
	rules, err := acl.Rules(own, acl.ReadOnly, acl.On(t.Context(), admin))
	require.NoError(t, err)
	checked := 0
	for _, rule := range rules {
		name, ok := strings.CutPrefix(rule, "+")
		if !ok {
			continue
		}
		infos, err := admin.Do(t.Context(), admin.B().CommandInfo().CommandName(name).Build()).ToArray()
		require.NoError(t, err)
		info, err := infos[0].ToArray()
		require.NoError(t, err, name)
		flags, err := info[2].AsStrSlice()
		require.NoError(t, err, name)
		require.NotContains(t, flags, "write", name)
		require.NotContains(t, flags, "admin", name)
		checked++
	}
	require.Greater(t, checked, 60)
}

// A scope that is opened with NoRenew reads and leaves the TTL; its writes restart it.
func TestNoRenewLeavesTTLsToWrites(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, root, append(openOptions(t), nest.NoRenew())...)
	c, db := caller{hashOf(t, s)}, database{t, nesttest.Client(t)}
	ran := 0
	for _, sub := range subjects {
		for _, op := range operationsOf(t, sub.typ) {
			if sub.fill == nil || op.Effect != source.Renews && op.Effect != source.Changes {
				continue
			}
			label := sub.typ + "." + op.Name
			ref, other := sub.at(renewed.At(s), op.Name, 1), sub.at(renewed.At(s), "other."+op.Name, 1)
			for _, r := range []keyRef{ref, other} {
				require.NoError(t, sub.fill(t.Context(), r), label)
				db.setTTL(r.Key(), runningTTL)
			}
			ctx, cancel := context.WithCancel(t.Context())
			err := c.call(ctx, sub.typ, op.Name, ref, other)
			cancel()
			if err != nil {
				continue // TestEveryOperationKeepsTheDeclaredTTL checks the error
			}
			ran++
			want := declaredTTL
			if op.Effect == source.Renews {
				want = runningTTL
				aboutf(t, runningTTL, db.ttl(other.Key()), "the other key of %s", label)
			}
			aboutf(t, want, db.ttl(ref.Key()), "%s", label)
		}
	}
	require.Greater(t, ran, 60)
}
