// Package vettest finds the packages on which the analyzers are tested. They are in one place
// because all analyzers are tested on the same declarations.
package vettest

import (
	"path/filepath"
	"runtime"
)

// Data returns the folder that holds the packages.
func Data() string {
	_, file, _, _ := runtime.Caller(0) //nolint:dogsled // only the file matters
	return filepath.Join(filepath.Dir(file), "..", "..", "testdata")
}
