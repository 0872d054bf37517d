//go:build !unix

package nesttest

import "errors"

func (p *process) Freeze() error { return errors.ErrUnsupported }

func (p *process) Thaw() error { return nil }
