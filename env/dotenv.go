package env

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"

	"github.com/joho/godotenv"
)

const (
	defaultFile  = ".env"
	fileVariable = "USER_SETTINGS_FILE"

	// maxFileBytes keeps a path to the wrong file from filling the memory.
	maxFileBytes = 1 << 20
	// maxValueLines ends the search for a closing quote when a malformed line is looked for.
	maxValueLines = 100
)

// readFiles gives the variables of the .env file in dir, or of the file that USER_SETTINGS_FILE
// names: in the environment of the process, then that file is read instead of .env; or in .env itself, then
// it is read in addition and wins.
func readFiles(dir string, process map[string]string) (map[string]string, problems) {
	var found problems
	vars := map[string]string{}
	name := process[fileVariable]
	if name == "" {
		var err error
		path := filepath.Join(dir, defaultFile)
		// A directory of that name is some other tool's, such as a Python environment.
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
			return vars, nil
		}
		vars, err = readFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return vars, nil
		}
		if err != nil {
			return nil, problems{{Variable: defaultFile, Message: err.Error(), Err: err}}
		}
		if name = dropEmpty(vars)[fileVariable]; name == "" {
			return vars, nil
		}
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	named, err := readFile(name)
	if err != nil {
		found = append(found, Problem{
			Variable: fileVariable,
			Message:  fmt.Sprintf("the file it names, relative to the working directory: %v", err),
			Err:      err,
		})
	}
	maps.Copy(vars, dropEmpty(named))
	return vars, found
}

// readFile reads one regular file, or what a symbolic link leads to. Its errors contain neither the
// path, which may be no path at all but a value that was set on the wrong variable, nor anything
// that the file holds.
func readFile(path string) (map[string]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() { // opening a named pipe would wait for who writes to it
		return nil, fmt.Errorf("%s, not a regular file", fileKind(info.Mode()))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = f.Close() }()
	src, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if len(src) > maxFileBytes {
		return nil, fmt.Errorf("larger than %d bytes", maxFileBytes)
	}
	return parseFile(src)
}

// fileKind names what is no regular file.
func fileKind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// withoutPath gives the reason of an error that also quotes a path.
func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return errors.New("cannot be read")
}

var utf8BOM = []byte("\xef\xbb\xbf")

// parseFile parses the text of a file.
func parseFile(src []byte) (map[string]string, error) {
	src = bytes.ReplaceAll(bytes.TrimPrefix(src, utf8BOM), []byte("\r\n"), []byte("\n"))
	vars, ok := parseStatements(src)
	if !ok {
		return nil, fmt.Errorf("malformed near line %d: write NAME=value, close every quote, and start comments with #", malformedLine(src))
	}
	return vars, nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// parseStatements drops godotenv's error, which quotes the file, and refuses the names that
// godotenv lets pass: none at all, or several words.
func parseStatements(src []byte) (map[string]string, bool) {
	vars, err := godotenv.UnmarshalBytes(src)
	if err != nil {
		return nil, false
	}
	for name := range vars {
		if !variableName.MatchString(name) {
			return nil, false
		}
	}
	return vars, true
}

// malformedLine gives the line, from 1, on which the first malformed statement starts.
func malformedLine(src []byte) int {
	lines := bytes.SplitAfter(src, []byte("\n"))
	for start := 0; start < len(lines); {
		var statement []byte
		end, ok := start, false
		for end < len(lines) && end-start < maxValueLines && !ok {
			statement = append(statement, lines[end]...)
			end++
			_, ok = parseStatements(statement)
		}
		if !ok {
			return start + 1
		}
		start = end
	}
	return len(lines)
}
