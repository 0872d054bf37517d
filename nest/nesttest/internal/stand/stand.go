// Package stand runs what is written for a test outside of one: for programs that start servers
// with package nesttest.
package stand

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// SkippedError says why something did not run.
type SkippedError struct{ Reason string }

func (e *SkippedError) Error() string { return "not run: " + e.Reason }

// Run runs do as a test of this name. The error is a [*SkippedError] if it was skipped, and joins
// what it reported if it failed.
func Run(ctx context.Context, name string, do func(t testing.TB)) error {
	s := &stand{name: name}
	var cancel context.CancelFunc
	s.ctx, cancel = context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { // which FailNow ends
		defer close(done)
		defer s.clean(cancel)
		do(s)
	}()
	<-done
	if len(s.failed) > 0 {
		return errors.New(strings.Join(s.failed, "; "))
	}
	if s.skipped != "" {
		return &SkippedError{s.skipped}
	}
	return nil
}

// stand is a [testing.TB] outside of a test. It has the methods that package nesttest calls.
type stand struct {
	testing.TB // nil

	name string
	ctx  context.Context //nolint:containedctx // as a test has one

	mu       sync.Mutex
	cleanups []func()
	failed   []string
	skipped  string
}

func (s *stand) Helper()                  {}
func (s *stand) Name() string             { return s.name }
func (s *stand) Context() context.Context { return s.ctx }
func (s *stand) Log(...any)               {}
func (s *stand) Logf(string, ...any)      {}

func (s *stand) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// clean does what a test does at its end.
func (s *stand) clean(cancel func()) {
	cancel()
	for {
		s.mu.Lock()
		n := len(s.cleanups)
		if n == 0 {
			s.mu.Unlock()
			return
		}
		f := s.cleanups[n-1]
		s.cleanups = s.cleanups[:n-1]
		s.mu.Unlock()
		f()
	}
}

func (s *stand) Error(args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, strings.TrimSpace(fmt.Sprintln(args...)))
}

func (s *stand) Errorf(format string, args ...any) { s.Error(fmt.Sprintf(format, args...)) }
func (s *stand) Fail()                             { s.Error("failed") }
func (s *stand) FailNow()                          { runtime.Goexit() }

func (s *stand) Failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.failed) > 0
}

func (s *stand) Fatal(args ...any) {
	s.Error(args...)
	s.FailNow()
}

func (s *stand) Fatalf(format string, args ...any) {
	s.Errorf(format, args...)
	s.FailNow()
}

func (s *stand) Skipf(format string, args ...any) {
	s.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (s *stand) TempDir() string {
	dir, err := os.MkdirTemp("", "stand-")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
