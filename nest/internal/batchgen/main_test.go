package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheBatchMethodsAreUpToDate(t *testing.T) {
	dir := filepath.Join("..", "..")
	want, err := Generate(dir)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(dir, Output))
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run go generate ./nest")
}
