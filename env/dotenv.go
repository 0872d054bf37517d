package env

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	defaultFile  = ".env"
	fileVariable = "USER_SETTINGS_FILE"

	// maxFileBytes keeps a path to the wrong file from filling the memory.
	maxFileBytes = 1 << 20
)

// readFiles returns the variables of the .env file in dir and of the file that USER_SETTINGS_FILE
// names. If the process's environment sets that name, the file is read instead of .env; if .env
// itself sets it, the file is read in addition and overrides .env. A reference in a line takes the
// process's value first.
func readFiles(dir string, process map[string]string) (*dotenv, problems) {
	vars := newDotenv(process)
	name := process[fileVariable]
	if name == "" {
		path := filepath.Join(dir, defaultFile)
		// A directory of that name belongs to another tool, such as a Python environment.
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
			return vars, nil
		}
		err := vars.readFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return vars, nil
		}
		if err != nil {
			return newDotenv(nil), problems{{Variable: defaultFile, Message: err.Error(), Err: err}}
		}
		var found problems
		if name, found = vars.fileName(); name == "" {
			return vars, found
		}
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	named := newDotenv(process)
	named.earlier = vars
	if err := named.readFile(name); err != nil {
		return vars, problems{{
			Variable: fileVariable,
			Message:  fmt.Sprintf("the file it names, relative to the working directory: %v", err),
			Err:      err,
		}}
	}
	vars.add(named)
	return vars, nil
}

// readFile adds the variables of a file.
func (d *dotenv) readFile(path string) error {
	src, err := readRegular(path)
	if err != nil {
		return err
	}
	return d.parse(src)
}

// readRegular reads one regular file, following symbolic links. Its errors contain nothing that the
// file holds. Nor do they contain the path, which may be a value that was set on the wrong
// variable.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() { // opening a named pipe would wait for a writer
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
	return src, nil
}

// fileKind names the kind of a file that is not regular.
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

// withoutPath returns the reason of an error that also quotes a path.
func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return errors.New("cannot be read")
}
