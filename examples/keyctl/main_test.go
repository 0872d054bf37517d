package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/keyctl"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func TestTheCommandsOfTheDocs(t *testing.T) {
	s := nesttest.Embedded(t).Open(t, Root)
	require.NoError(t, fill(t.Context(), s))
	open := func(context.Context, *nest.ClusterDef, ...nest.OpenOption) (nest.Scope, func(), error) { //nolint:unparam // as keyctl.Opener has it
		return s, func() {}, nil
	}
	run := func(input string, args ...string) string {
		var out, errOut bytes.Buffer
		code := keyctl.Run(t.Context(), Root, open, args, strings.NewReader(input), &out, &errOut)
		require.Equal(t, keyctl.ExitOK, code, errOut.String())
		return out.String()
	}
	require.Contains(t, run("", "tree"), "user:<user_id>")
	require.Equal(t, 3, strings.Count(run("", "ls", "--where", "user_id=42"), "\n"))
	require.Contains(t, run("", "get", s.Prefix()+":user:42:login:7f3a"), "Oslo")
	require.Contains(t, run("3\n", "clear", "--where", "user_id=42"), "deleted\t3")
	require.Equal(t, 5, strings.Count(run("", "ls"), "\n"))
}
