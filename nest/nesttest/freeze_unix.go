//go:build unix

package nesttest

import (
	"errors"
	"os"
	"syscall"
)

func (p *process) Freeze() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw leaves a process alone that was killed meanwhile.
func (p *process) Thaw() error {
	if err := p.cmd.Process.Signal(syscall.SIGCONT); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}
