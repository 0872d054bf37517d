package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/stand"
)

// Try is Run outside of a test. The error says why the fault could not be tried, or which promises
// were broken; in the latter case the report is there.
func Try(ctx context.Context, f Fault, d time.Duration) (r Report, err error) {
	if err := stand.Run(ctx, f.Name, func(t testing.TB) { r = Run(t, f, d) }); err != nil {
		return r, err
	}
	if broken := r.Broken(); len(broken) > 0 {
		return r, fmt.Errorf("broken promises: %s", strings.Join(broken, "; "))
	}
	return r, nil
}
