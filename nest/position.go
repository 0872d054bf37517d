package nest

import (
	"fmt"
	"runtime"
)

// position is the place of a declaration in the source.
type position struct {
	file string
	line int
}

// caller returns the position of the call to the function that calls caller.
func caller() position {
	_, file, line, _ := runtime.Caller(2)
	return position{file, line}
}

func (p position) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

// refuse panics as regexp.MustCompile does: a wrong declaration is found when the program starts,
// with the place to fix.
func (p position) refuse(what, template string, err error) {
	panic(fmt.Sprintf("nest: %s: %s %q: %v", p, what, template, err))
}
