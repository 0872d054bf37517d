package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// git runs git in dir, with input if there is some, and returns what it prints.
func git(dir string, input []byte, args ...string) (string, error) {
	return gitWith(nil, dir, input, args...)
}

func gitWith(env []string, dir string, input []byte, args ...string) (string, error) {
	var out, problem bytes.Buffer
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), env...), bytes.NewReader(input), &out, &problem
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(problem.String()))
	}
	return out.String(), nil
}

// A snapshot is a tree of the files that git tracks, as they are in the working tree but for those
// that were put. It has an index of its own, so neither the working tree nor its index changes.
type snapshot struct {
	root string
	env  []string
}

// newSnapshot keeps its index in the folder dir.
func newSnapshot(root, dir string) (*snapshot, error) {
	index, err := git(root, nil, "rev-parse", "--path-format=absolute", "--git-path", "index")
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(strings.TrimSpace(index))
	if err != nil {
		return nil, err
	}
	own := filepath.Join(dir, "index")
	if err := os.WriteFile(own, data, 0o600); err != nil {
		return nil, err
	}
	s := &snapshot{root: root, env: []string{"GIT_INDEX_FILE=" + own}}
	_, err = gitWith(s.env, root, nil, "add", "--update")
	return s, err
}

func (s *snapshot) put(name string, data []byte) error {
	blob, err := git(s.root, data, "hash-object", "-w", "--stdin")
	if err != nil {
		return err
	}
	_, err = gitWith(s.env, s.root, nil, "update-index", "--add", "--cacheinfo", "100644,"+strings.TrimSpace(blob)+","+name)
	return err
}

// tree returns the name of the tree as it is now.
func (s *snapshot) tree() (string, error) {
	tree, err := gitWith(s.env, s.root, nil, "write-tree")
	return strings.TrimSpace(tree), err
}
