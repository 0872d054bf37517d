package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/internal/operations"
)

func TestTheTablesAreUpToDate(t *testing.T) {
	dir := filepath.Join("..", "..")
	ops, err := operations.Read(dir)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(dir, Output))
	require.NoError(t, err)
	require.Equal(t, string(operations.Markdown(ops)), string(got), "run go generate ./nest")
	want, err := operations.Go(ops, preface)
	require.NoError(t, err)
	got, err = os.ReadFile(filepath.Join(dir, Rights))
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run go generate ./nest")
}
