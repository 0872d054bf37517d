package examples_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

var (
	// link finds the target of a link or an image, in Markdown and in HTML.
	link = regexp.MustCompile(`\]\(([^()\s]+)(?:\s+"[^"]*")?\)|(?m:^\[[^\]]+\]:\s*(\S+))|(?:src|srcset|href)="([^"]+)"`)
	// heading finds a heading's text.
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.*?)(?: +#+)?$`)
	// code finds what is no Markdown: code, within lines and in blocks of its own.
	code = regexp.MustCompile("(?ms)^(?:```|~~~).*?^(?:```|~~~)$|`[^`\n]+`")
)

// TestLinks checks that what the repository's pages link to is there: files, folders and headings.
func TestLinks(t *testing.T) {
	t.Parallel()
	links := 0
	for _, page := range markdown(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		prose := code.ReplaceAllString(string(text), "")
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			target := m[1] + m[2] + m[3]
			parsed, err := url.Parse(target)
			require.NoError(t, err, "%s: %s", page, target)
			if parsed.Scheme != "" {
				continue // of another site
			}
			links++
			if err := follow(page, parsed); err != nil {
				t.Errorf("%s: the link %s: %v", page, target, err)
			}
		}
	}
	require.Greater(t, links, 100, "where are the links?")
}

// markdown returns all pages of the repository.
func markdown(t *testing.T) []string {
	t.Helper()
	var pages []string
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == ".git" {
			return filepath.SkipDir
		}
		if err == nil && filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	}))
	return pages
}

// follow returns an error unless what a link of a page names exists.
func follow(page string, to *url.URL) error {
	path := page
	if to.Path != "" {
		path = filepath.Join(filepath.Dir(page), to.Path)
	}
	info, err := os.Stat(path)
	if err != nil || to.Fragment == "" {
		return err
	}
	if info.IsDir() || filepath.Ext(path) != ".md" {
		return fmt.Errorf("only pages have headings")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !anchors(string(text))[to.Fragment] {
		return fmt.Errorf("%s has no such heading", path)
	}
	return nil
}

// anchors returns the fragments by which a page's headings are named, as GitHub makes them.
func anchors(text string) map[string]bool {
	blocks := regexp.MustCompile("(?ms)^(?:```|~~~).*?^(?:```|~~~)$")
	anchors, seen := make(map[string]bool), make(map[string]int)
	for _, m := range heading.FindAllStringSubmatch(blocks.ReplaceAllString(text, ""), -1) {
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
				return unicode.ToLower(r)
			}
			return -1
		}, regexp.MustCompile(`\]\([^)]*\)`).ReplaceAllString(m[1], ""))
		if n := seen[anchor]; n > 0 {
			anchors[fmt.Sprintf("%s-%d", anchor, n)] = true
		} else {
			anchors[anchor] = true
		}
		seen[anchor]++
	}
	return anchors
}
