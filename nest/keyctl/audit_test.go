package keyctl_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/audit"
	"github.com/redisimnest/redisimnest/nest/keyctl"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	s := newShop(t, nesttest.Start(t))
	require.NoError(t, s.client.Do(t.Context(), s.client.B().Del().Key("shop:stray\x1b[2J").Build()).Error())
	folder := t.TempDir()
	file := func(name string) string { return filepath.Join(folder, name) }

	code, out, errOut := s.run("", "audit", "--values", "10000", "--fail", "all", "--output", file("before.json"))
	require.Equal(t, keyctl.ExitOK, code, errOut)
	require.Empty(t, out)

	ctx := t.Context()
	require.NoError(t, s.client.Do(ctx, s.client.B().Persist().Key("shop:board").Build()).Error())
	require.NoError(t, s.client.Do(ctx, s.client.B().Set().Key("shop:cart:7").Value("x").Build()).Error())
	code, out, errOut = s.run("", "audit", "--sample", "all", "--against", file("before.json"))
	require.Equal(t, keyctl.ExitOK, code, errOut)
	require.Contains(t, out, "missing ttl")
	require.Contains(t, out, "shop:cart:<n>")
	require.Contains(t, errOut, "undeclared   shop:cart:<n>")

	code, _, errOut = s.run("", "audit", "--fail", "missing ttl,orphan")
	require.Equal(t, keyctl.ExitFound, code)
	require.Contains(t, errOut, "shop:board")
	require.NotContains(t, errOut, "shop:cart")
	code, _, _ = s.run("", "audit", "--fail", "wrong type")
	require.Equal(t, keyctl.ExitOK, code)
	code, out, _ = s.run("", "audit", "--only", "shop:user:<id>:name", "--fail", "missing ttl")
	require.Equal(t, keyctl.ExitOK, code)
	require.Contains(t, out, "3 keys")

	for name, want := range map[string]string{"r.html": "<!DOCTYPE html>", "r.md": "# Audit of `shop`", "r.txt": "shop: ", "r.json": `{"scope":"shop"`} {
		code, _, errOut = s.run("", "audit", "--output", file(name), "--ceiling", "1s", "--examples", "1")
		require.Equal(t, keyctl.ExitOK, code, errOut)
		text, err := os.ReadFile(file(name))
		require.NoError(t, err)
		require.Equal(t, want, string(text)[:len(want)])
	}
	code, out, _ = s.run("", "audit", "--json")
	require.Equal(t, keyctl.ExitOK, code)
	var r audit.Report
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Len(t, r.Findings, 2)

	require.NoError(t, os.WriteFile(file("none.json"), []byte("{}"), 0o600))
	for _, args := range [][]string{
		{"--format", "pdf"}, {"--sample", "some"}, {"--fail", "nonsense"}, {"--fail", "unsealed"}, {"--continue", file("none.json")},
		{"--against", file("missing.json")},
	} {
		code, _, _ = s.run("", append([]string{"audit"}, args...)...)
		require.Equal(t, keyctl.ExitUsage, code, args)
	}
}
