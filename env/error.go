package env

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrConfig is wrapped by every error about the variables themselves, that is, by each
	// [*Error].
	ErrConfig = errors.New("invalid configuration")
	// ErrConnect is wrapped by every error of a failed connection.
	ErrConnect = errors.New("cannot connect")
)

// Error lists everything that is wrong with the configuration. It wraps [ErrConfig] and the Err of
// each problem. It contains no value of a variable.
type Error struct {
	// Problems has at least one entry. The entries are in the order of the variables in [Config].
	Problems []Problem
}

// Problem is one thing that is wrong.
type Problem struct {
	// Variable is the name of the variable to change, or ".env" when that file is to blame.
	Variable string
	// Message says what is wrong and what to do. It never contains the variable's value.
	Message string
	// Err is the cause, such as [io/fs.ErrNotExist], or nil.
	Err error
}

func (p Problem) String() string { return p.Variable + ": " + p.Message }

// Error names every problem. If there are several, each is on a line of its own.
func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return "env: " + e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "env: %d problems:", len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n\t" + p.String())
	}
	return b.String()
}

// Unwrap returns ErrConfig and the causes.
func (e *Error) Unwrap() []error {
	errs := []error{ErrConfig}
	for _, p := range e.Problems {
		if p.Err != nil {
			errs = append(errs, p.Err)
		}
	}
	return errs
}

// problems collects what is wrong.
type problems []Problem

func (p *problems) addf(variable, format string, args ...any) {
	*p = append(*p, Problem{Variable: variable, Message: fmt.Sprintf(format, args...)})
}

// err returns an *Error, or nil if nothing is wrong.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &Error{Problems: p}
}
