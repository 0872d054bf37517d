package audit

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/redisimnest/redisimnest/nest"
)

// generationReads is how many numbers of generations are read at the same time.
const generationReads = 32

// generationOf identifies the generation that a key is of, among the keys of a step. What is not
// below a generation in the scope is all of one.
func generationOf(m nest.Match, r *row) string {
	if r.generation == "" {
		return r.Template
	}
	params, values := m.Params()
	return r.Template + "\x00" + strings.Join(values[:slices.Index(params, r.generation)+1], "\x00")
}

// oldGenerations returns which generations among the keys of a step are no longer the current ones.
// The number of a generation is asked for once a step: it can change at any time.
func (a *auditor) oldGenerations(ctx context.Context) (map[string]bool, error) {
	asked := make(map[string]nest.Match)
	for i := range a.page {
		if m := a.page[i].Match; m.Def() != nil {
			if of := generationOf(m, a.row(m)); asked[of].Key() == "" {
				asked[of] = m
			}
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	old, places := make(map[string]bool), make(chan struct{}, generationReads)
	for of, m := range asked {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			current, err := m.Current(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
			} else if !current {
				old[of] = true
			}
		})
	}
	wg.Wait()
	return old, failed
}
