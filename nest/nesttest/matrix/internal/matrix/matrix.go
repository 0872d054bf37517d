// Package matrix tries what package nest can do on every kind of server that is available.
package matrix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/stand"
	_ "github.com/redisimnest/redisimnest/nest/nesttest/nestdocker" // for the engines in containers
)

// engine is a column of the table.
type engine struct {
	name  string
	kind  nesttest.Kind // for REDIS_TEST_SERVER
	image string        // for REDIS_TEST_IMAGE
	start func(t testing.TB) *nesttest.Server
	// change changes the options of the client.
	change func(o *rueidis.ClientOption)
}

func start(t testing.TB) *nesttest.Server { return nesttest.Start(t) }

var engines = []engine{
	{name: "embedded", kind: nesttest.KindEmbedded, start: start},
	{name: "from PATH", kind: nesttest.KindPath, start: start},
	{name: "Redis 8.0", kind: nesttest.KindDocker, image: "redisimnest-test/redis:8.0", start: start},
	{name: "Valkey 8.1", kind: nesttest.KindDocker, image: "redisimnest-test/valkey:8.1", start: start},
	{name: "Valkey 9.1", kind: nesttest.KindDocker, image: "redisimnest-test/valkey:9.1", start: start},
	{name: "Redis Cluster", kind: nesttest.KindPath, start: nesttest.Cluster},
	// Reads go to the primary: those from a replica may not see what was just written.
	{name: "with replicas", kind: nesttest.KindPath, start: func(t testing.TB) *nesttest.Server { return nesttest.Replicas(t, 2) }},
	{name: "Sentinel", kind: nesttest.KindPath, start: func(t testing.TB) *nesttest.Server { return nesttest.Sentinel(t) }},
	{name: "TLS", kind: nesttest.KindPath, start: func(t testing.TB) *nesttest.Server { return nesttest.Start(t, nesttest.TLS()) }},
	{name: "RESP2", kind: nesttest.KindPath, start: start, change: func(o *rueidis.ClientOption) { o.AlwaysRESP2, o.DisableCache = true, true }},
	{name: "tracking refused", kind: nesttest.KindPath, start: func(t testing.TB) *nesttest.Server {
		return nesttest.Start(t, nesttest.NoTracking())
	}},
}

// Column is what an engine can do, in the order of the capabilities.
type Column struct {
	Engine  string
	Version string // "redis 7.0.15"
	NotRun  string // why, or ""
	Cells   []string
	Failed  []string
}

// The cells of a table.
const (
	passed  = "passed"
	missing = "–"
	failed  = "FAILED"
	notRun  = "not run"
)

// Run tries everything on one engine after the other.
func Run(ctx context.Context, told func(name string)) []Column {
	columns := make([]Column, len(engines))
	for i, e := range engines {
		told(e.name)
		columns[i] = e.run(ctx)
	}
	return columns
}

func (e engine) run(ctx context.Context) Column {
	c := Column{Engine: e.name, Cells: make([]string, len(capabilities))}
	for i := range c.Cells {
		c.Cells[i] = notRun
	}
	if e.image != "" {
		// An image is not pulled: what a table says has to come from known servers.
		if err := exec.CommandContext(ctx, "docker", "image", "inspect", e.image).Run(); err != nil {
			c.NotRun = "there is no image " + e.image
			return c
		}
	}
	_ = os.Setenv("REDIS_TEST_SERVER", string(e.kind))
	_ = os.Setenv("REDIS_TEST_IMAGE", e.image)
	err := stand.Run(ctx, e.name, func(t testing.TB) {
		server := e.start(t)
		option := server.ClientOption()
		if e.change != nil {
			e.change(&option)
		}
		client, err := rueidis.NewClient(option)
		require.NoError(t, err)
		t.Cleanup(client.Close)
		c.Version = version(ctx, client)
		hits := new(atomic.Int64)
		prefix := server.Prefix(t)
		scope, err := nest.Open(client, root, nest.WithPrefix(prefix), nest.WithObserver(observer{hits}))
		require.NoError(t, err)
		for i, what := range capabilities {
			err := stand.Run(ctx, what.name, func(t testing.TB) {
				ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
				defer cancel()
				what.try(t, ctx, subject{server, client, scope, prefix, hits})
			})
			if skipped := (*stand.SkippedError)(nil); errors.As(err, &skipped) {
				c.Cells[i] = missing
			} else if err != nil {
				c.Cells[i] = failed
				c.Failed = append(c.Failed, fmt.Sprintf("%s: %s: %v", e.name, what.name, err))
			} else {
				c.Cells[i] = passed
			}
		}
	})
	if err != nil {
		c.NotRun = err.Error()
	}
	return c
}

type observer struct{ hits *atomic.Int64 }

func (o observer) Observe(_ context.Context, e nest.Event) {
	if e.CacheHit {
		o.hits.Add(1)
	}
}

// version returns the name and the version of a server, or "".
func version(ctx context.Context, client rueidis.Client) string {
	info, err := client.Do(ctx, client.B().Info().Section("server").Build()).ToString()
	if err != nil {
		return ""
	}
	said := make(map[string]string)
	for line := range strings.Lines(info) {
		if key, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			said[key] = v
		}
	}
	if v := said["valkey_version"]; v != "" {
		return "valkey " + v
	}
	if v := said["redis_version"]; v != "" {
		return "redis " + v
	}
	return ""
}

// Print prints columns as a table in GitHub's flavour.
func Print(w io.Writer, columns []Column) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	row := func(first string, cell func(c *Column) string) {
		_, _ = fmt.Fprintf(t, "| %s\t", first)
		for i := range columns {
			_, _ = fmt.Fprintf(t, "| %s\t", cell(&columns[i]))
		}
		_, _ = fmt.Fprintln(t, "|")
	}
	row("", func(c *Column) string { return c.Engine })
	row("---", func(*Column) string { return "---" })
	row("server", func(c *Column) string {
		if c.NotRun != "" {
			return notRun
		}
		return c.Version
	})
	for i := range capabilities {
		row(capabilities[i].name, func(c *Column) string { return c.Cells[i] })
	}
	return t.Flush()
}
