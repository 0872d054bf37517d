package auditing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/acl"
	"github.com/redisimnest/redisimnest/nest/audit"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

var (
	item  = nest.Key[int]("item:<n>", nest.TTL(time.Hour))
	crowd = nest.Cluster("crowd", nest.Sub(item))
)

// openCrowd opens a keyspace of 2,000 keys with 100 findings, and 100 names that nothing declares.
func openCrowd(t *testing.T, server *nesttest.Server) nest.Scope {
	t.Helper()
	s := server.Open(t, crowd)
	db := server.Client(t)
	var cmds rueidis.Commands
	for n := range 2000 {
		set := db.B().Set().Key(item.At(s, n).Key()).Value("1")
		if n%20 == 0 {
			cmds = append(cmds, set.Build(), db.B().Set().Key(fmt.Sprintf("%s:stray:%d", s.Prefix(), n)).Value("1").Build())
			continue
		}
		cmds = append(cmds, set.ExSeconds(1000).Build())
	}
	for _, a := range db.DoMulti(t.Context(), cmds...) {
		require.NoError(t, a.Error())
	}
	return s
}

// An audit that is interrupted again and again finds what one finds that is not.
func TestContinue(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, server *nesttest.Server) {
		s := openCrowd(t, server)
		opts := []audit.Option{audit.SampleMemory(audit.All), audit.CheckValues(100), audit.Examples(3)}
		whole, err := audit.Run(t.Context(), s, opts...)
		require.NoError(t, err)
		require.EqualValues(t, 2100, whole.Total.Keys)

		var r *audit.Report
		parts := 0
		for r == nil || !r.Complete {
			ctx, cancel := context.WithCancel(t.Context())
			steps := 0
			part := append(slices.Clone(opts), audit.Walk(nest.ScanCount(20), nest.Progress(func(nest.WalkProgress) {
				if steps++; steps == 25 {
					cancel()
				}
			})))
			if r != nil {
				part = append(part, audit.Continue(throughJSON(t, r)))
			}
			r, err = audit.Run(ctx, s, part...)
			cancel()
			if !r.Complete {
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorIs(t, r.Err(), audit.ErrUnchecked)
			}
			parts++
			require.Less(t, parts, 1000)
		}
		require.NoError(t, err)
		if server.Kind() != nesttest.KindEmbedded { // whose cursors know no COUNT
			require.Greater(t, parts, 2)
		}
		same := func(r *audit.Report) audit.Report {
			plain := *r
			plain.Began, plain.Took = time.Time{}, 0
			forget := func(s *audit.Stats) { s.Largest = nil }
			forget(&plain.Total)
			plain.Keys, plain.Clusters, plain.Undeclared = slices.Clone(r.Keys), slices.Clone(r.Clusters), slices.Clone(r.Undeclared)
			plain.Findings = slices.Clone(r.Findings)
			forget(&plain.Keys[0].Stats)
			forget(&plain.Clusters[0].Stats)
			for i := range plain.Undeclared {
				plain.Undeclared[i].Examples = nil
				forget(&plain.Undeclared[i].Stats)
			}
			for i := range plain.Findings {
				require.Len(t, plain.Findings[i].Examples, 3)
				plain.Findings[i].Examples = nil
			}
			return plain
		}
		require.Equal(t, same(whole), same(r))

		// The servers are no longer those of the cursor: everything is audited, once.
		ctx, cancel := context.WithCancel(t.Context())
		r, err = audit.Run(ctx, s, append(slices.Clone(opts), audit.Walk(nest.ScanCount(20), nest.Progress(func(nest.WalkProgress) { cancel() })))...)
		if cancel(); r.Complete {
			return
		}
		require.ErrorIs(t, err, context.Canceled)
		parted := strings.Split(r.Cursor, "-")
		parted[1] = "0"
		r.Cursor = strings.Join(parted, "-")
		r, err = audit.Run(t.Context(), s, append(slices.Clone(opts), audit.Continue(r))...)
		require.NoError(t, err)
		require.Equal(t, same(whole), same(r))
	})
}

func throughJSON(t *testing.T, r *audit.Report) *audit.Report {
	t.Helper()
	var again audit.Report
	require.NoError(t, json.Unmarshal(encoded(t, r), &again))
	return &again
}

// With a ceiling everything is found as well, and the report says what was measured.
func TestCeiling(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, server *nesttest.Server) {
		s := openCrowd(t, server)
		r, err := audit.Run(t.Context(), s, audit.MaxAddedLatency(time.Second), audit.SampleMemory(10))
		require.NoError(t, err)
		require.EqualValues(t, 2100, r.Total.Keys)
		require.Positive(t, r.Latency.Baseline)
		require.Positive(t, r.Latency.Loaded)
		require.Positive(t, r.Latency.Windows)
		require.Equal(t, time.Second, r.Latency.Ceiling)
		require.Contains(t, r.String(), "90th percentile of PING")
		if r.Unmeasured == "" {
			require.True(t, r.Total.Estimated())
			for form, text := range map[string]string{"text": r.String(), "Markdown": r.Markdown(), "page": page(t, r)} {
				require.Contains(t, text, "estimated", form)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = audit.Run(ended, s, audit.MaxAddedLatency(time.Second))
		require.ErrorIs(t, err, context.Canceled)
	})
}

// An audit needs the rights of a reader, and changes nothing. Without the right to measure memory
// it says so.
func TestAReaderAudits(t *testing.T) {
	t.Parallel()
	server := nesttest.Shared(t)
	s := openStore(t, server)
	s.do("SET", "{user:9}:nickname", "A")
	rules, err := acl.Rules(s.Scope, acl.ReadOnly, acl.On(t.Context(), s.db))
	require.NoError(t, err)
	open := func(rules []string) nest.Scope {
		ring, err := secure.NewKeyring(secure.GenerateKey())
		require.NoError(t, err)
		hasher, err := secure.NewPasswords(secure.Minimum())
		require.NoError(t, err)
		scope, err := nest.Open(server.ClientOf(t, rules), shop, nest.WithKeyring(ring), nest.WithPasswords(hasher),
			nest.WithPrefix(strings.TrimSuffix(s.Prefix(), ":shop")))
		require.NoError(t, err)
		return scope
	}
	r, err := audit.Run(t.Context(), open(rules), audit.CheckValues(1000), audit.MaxAddedLatency(time.Second))
	require.NoError(t, err)
	require.Empty(t, r.Unmeasured)
	require.Error(t, r.Err(audit.OldName))
	exists, err := s.db.Do(t.Context(), s.db.B().Exists().Key(s.key("{user:9}:nickname")).Build()).AsInt64()
	require.NoError(t, err)
	require.EqualValues(t, 1, exists, "the key was moved")

	r, err = audit.Run(t.Context(), open(slices.DeleteFunc(rules, func(rule string) bool { return rule == "+memory|usage" })))
	require.NoError(t, err)
	require.Contains(t, r.Unmeasured, "MEMORY USAGE")
	require.Zero(t, r.Total.Bytes)
	require.Contains(t, page(t, r), "not measured")
}

// What the Python library has stored is what is declared of it.
func TestPythonValuesAuditClean(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "..", "codec", "testdata", "python_values.json"))
	require.NoError(t, err)
	var records []struct {
		Name, Kind string
		Raw        []byte `json:"raw_base64"`
		Key        string `json:"encryption_key"`
	}
	require.NoError(t, json.Unmarshal(data, &records))
	values := nest.Key[any]("v:<name>")
	secrets := nest.Secret[string]("sec:<name>")
	passwords := nest.Password("pw:<name>")
	tree := nest.Cluster("fx", nest.Codec(codec.Tagged), nest.Sub(nest.Cluster("vals", nest.Sub(values, secrets))))
	hashed := nest.Cluster("fx", nest.Codec(codec.Tagged), nest.Sub(nest.Cluster("pws", nest.Sub(passwords))))
	server := nesttest.Shared(t)
	var fernet secure.Key
	for _, r := range records {
		if r.Kind == "secret" {
			fernet, err = secure.ParseKey(r.Key)
			require.NoError(t, err)
		}
	}
	ring, err := secure.NewKeyring(secure.GenerateKey(), secure.AcceptFernet(fernet))
	require.NoError(t, err)
	hasher, err := secure.NewPasswords(secure.Policy{Memory: 16, Time: 1, Threads: 1}, secure.AllowWeak(t))
	require.NoError(t, err)
	s := server.Open(t, tree, nest.WithKeyring(ring))
	p := server.Open(t, hashed, nest.WithPasswords(hasher))
	db := server.Client(t)
	n := map[string]int64{}
	for _, r := range records {
		var key string
		switch r.Kind {
		case "plain":
			key = values.At(s, r.Name).Key()
		case "secret":
			key = secrets.At(s, r.Name).Key()
		case "password":
			key = passwords.At(p, r.Name).Key()
		}
		n[r.Kind]++
		require.NoError(t, db.Do(t.Context(), db.B().Set().Key(key).Value(string(r.Raw)).Build()).Error())
	}
	r, err := audit.Run(t.Context(), s, audit.CheckValues(1<<20))
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.Equal(t, n["plain"]+n["secret"], r.Total.Keys)
	r, err = audit.Run(t.Context(), p, audit.CheckValues(1<<20))
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.Equal(t, n["password"], r.Total.Keys)

	require.NoError(t, db.Do(t.Context(), db.B().Set().Key(values.At(s, "broken").Key()).Value(`{"__type__": "int", "value": "x"}`).Build()).Error())
	r, err = audit.Run(t.Context(), s, audit.CheckValues(1<<20))
	require.NoError(t, err)
	require.Error(t, r.Err(nest.Undecodable))
}

// Keys of former generations are found, under each value of the parameters before the generation.
// The number of the current one is no orphan.
func TestOldGenerations(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, server *nesttest.Server) {
		ctx := t.Context()
		page := nest.Key[string]("page:<n>")
		catalog := nest.Cluster("catalog:<gen>", nest.Generation("gen"), nest.TTL(time.Hour), nest.Sub(page))
		tree := nest.Cluster("tenant:<t>", nest.Sub(catalog, nest.Key[int]("other")))
		top := server.Open(t, tree)
		for _, tenant := range []string{"a", "b"} {
			s, err := catalog.Current(ctx, top, tenant)
			require.NoError(t, err)
			for n := range 3 {
				require.NoError(t, page.At(s, n).Set(ctx, "x"))
			}
		}
		r, err := audit.Run(ctx, top)
		require.NoError(t, err)
		require.NoError(t, r.Err(), "%s", r)
		require.EqualValues(t, 2, r.Companions.Keys)

		s, err := catalog.Renew(ctx, top, "b")
		require.NoError(t, err)
		require.NoError(t, page.At(s, 1).Set(ctx, "x"))
		r, err = audit.Run(ctx, top)
		require.NoError(t, err)
		require.Len(t, r.Findings, 1, "%s", r)
		require.Equal(t, audit.OldGeneration, r.Findings[0].Kind)
		require.EqualValues(t, 3, r.Findings[0].Keys)
		require.Contains(t, r.Findings[0].Examples[0], ":b:catalog:")
		require.EqualValues(t, 3, r.Keys[1].OldGenerations+r.Keys[0].OldGenerations)
		r, err = audit.Run(ctx, tree.At(top, "a"))
		require.NoError(t, err)
		require.NoError(t, r.Err())
		r, err = audit.Run(ctx, s)
		require.NoError(t, err)
		require.NoError(t, r.Err())
		require.EqualValues(t, 1, r.Total.Keys)

		// The number of a generation that is no longer declared is an orphan.
		db := server.Client(t)
		gone := top.Prefix() + ":tenant:a:gone"
		require.NoError(t, db.Do(ctx, db.B().Set().Key(gone+"%gen{"+gone+"}").Value("1").Build()).Error())
		r, err = audit.Run(ctx, tree.At(top, "a"))
		require.NoError(t, err)
		require.Error(t, r.Err(audit.Orphan), "%s", r)
	})
}
