package main

import (
	"testing"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func TestVisits(t *testing.T) {
	root := nesttest.Open(t, Root)
	visits, err := Visits.At(root, 42).Incr(t.Context())
	if err != nil || visits != 1 {
		t.Fatal(visits, err)
	}
}
