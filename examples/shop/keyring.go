package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/redisimnest/redisimnest/env"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/secure"
)

var errResealing = errors.New("another process is at it")

// readKeyring reads the keys that NEST_KEYRING_FILE or NEST_KEYRING names.
func readKeyring(c env.Config) (*secure.Keyring, error) {
	text := c.Keyring.Reveal()
	if c.KeyringFile != "" {
		b, err := os.ReadFile(c.KeyringFile)
		if err != nil {
			return nil, fmt.Errorf("read the keyring: %w", err)
		}
		text = strings.TrimSpace(string(b))
	}
	ring, err := secure.ParseKeyring(text)
	if err != nil {
		return nil, fmt.Errorf("read the keyring that NEST_KEYRING_FILE or NEST_KEYRING names: %w", err)
	}
	return ring, nil
}

// watchKeyring reads the keyring again at each SIGHUP, until the context ends. Secrets are read and
// written meanwhile.
func (s *service) watchKeyring(ctx context.Context) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangups:
			if err := s.reloadKeyring(); err != nil {
				s.log.ErrorContext(ctx, "the keyring stays as it was", "error", err)
				continue
			}
			s.log.InfoContext(ctx, "the keyring has been read again")
		}
	}
}

func (s *service) reloadKeyring() error {
	if s.conf.embedded {
		return errors.New("the embedded server's key ends with it")
	}
	connection, err := env.Load()
	if err != nil {
		return fmt.Errorf("read the environment: %w", err)
	}
	ring, err := readKeyring(connection)
	if err != nil {
		return err
	}
	s.keys.ring.Store(ring)
	return nil
}

// reseal seals everything that the primary key did not seal. When all processes have the new
// keyring, and this has found nothing more to do, the old key can go.
func (s *service) reseal(ctx context.Context) (report nest.RotateReport, err error) {
	ran, err := Resealing.At(s.keys.root).TryRun(ctx, func(ctx context.Context, _ *nest.Lease) error {
		report, err = nest.Rotate(ctx, s.keys.root)
		return err
	})
	switch {
	case err != nil:
		return report, fmt.Errorf("reseal: %w", err)
	case !ran:
		return report, errResealing
	}
	return report, nil
}
