package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/semver"
)

const changelog = "CHANGELOG.md"

// A section of the changelog has the changes of one version.
type section struct {
	title string // a version and its day, or Unreleased
	text  string
}

type changes []section

func readChanges(root string) (changes, error) {
	data, err := os.ReadFile(filepath.Join(root, changelog))
	if err != nil {
		return nil, err
	}
	return parseChanges(string(data)), nil
}

func parseChanges(text string) changes {
	var all changes
	for _, part := range strings.Split("\n"+text, "\n## ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		all = append(all, section{title, text})
	}
	return all
}

// of returns the section of a version.
func (c changes) of(version string) (section, bool) {
	for _, s := range c {
		if title, _, _ := strings.Cut(s.title, " "); title == version {
			return s, true
		}
	}
	return section{}, false
}

// since returns the sections above that of a version.
func (c changes) since(version string) (changes, error) {
	for i, s := range c {
		if title, _, _ := strings.Cut(s.title, " "); title == version {
			return c[:i], nil
		}
	}
	return nil, fmt.Errorf("%s has no section %s", changelog, version)
}

// latest returns the version of the first section that is of a version.
func (c changes) latest() (version string, ok bool) {
	for _, s := range c {
		if title, _, _ := strings.Cut(s.title, " "); semver.IsValid(title) {
			return title, true
		}
	}
	return "", false
}

// breaking returns what a section says below "### Breaking".
func breaking(s section) string {
	_, text, _ := strings.Cut("\n"+s.text, "\n### Breaking\n")
	text, _, _ = strings.Cut(text, "\n### ")
	return strings.TrimSpace(text)
}
