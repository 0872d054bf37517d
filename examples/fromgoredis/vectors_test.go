package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/go-redis/cache/v9"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

type (
	page struct {
		Title string `json:"title"`
		Body  string `msgpack:"body"`
		Views int
		At    time.Time
		Tags  []string
		Next  *page
	}
	colour string
)

// TestVectors makes what the tests of codec/gorediscache read, with the library itself.
func TestVectors(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 0, 0, 5, time.UTC)
	library := cache.New(&cache.Options{})
	vectors := map[string]string{}
	for name, v := range map[string]any{
		"string": "plain text", "empty string": "", "bytes": []byte{0, 1, 255}, "int": 7, "negative": -300, "float": 1.5, "bool": true,
		"named string": colour("red"), "time": at, "list": []string{"a", "b"}, "map": map[string]int{"a": 1},
		"struct": page{Title: "t", Body: "b", Views: 3, At: at, Tags: []string{"x"}},
		"long":   page{Title: "again again again again again again again again again again again", Next: &page{Views: 1, At: at}, At: at},
		"noise":  []uint32{2463534242, 723471715, 2497366906, 2064144800, 2008045182, 3532304609, 374114282, 1350636274, 691148861, 2858459654, 3693829041, 4023109153},
	} {
		data, err := library.Marshal(v)
		require.NoError(t, err)
		vectors[name] = base64.StdEncoding.EncodeToString(data)
	}
	text, err := json.MarshalIndent(vectors, "", "\t")
	require.NoError(t, err)
	const path = "../../codec/gorediscache/testdata/vectors.json"
	if nesttest.Update() {
		require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o600))
	}
	stored, err := os.ReadFile(path)
	require.NoError(t, err)
	require.JSONEq(t, string(text), string(stored))
}
