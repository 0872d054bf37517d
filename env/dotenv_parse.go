package env

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// dotenv collects the variables of .env files.
type dotenv struct {
	process map[string]string
	vars    map[string]string
	earlier *dotenv // a file that was read before, or nil
	// dangling maps a variable that refers to an undefined name to its line. That is an error only
	// if the variable is used: the file may hold variables of other programs too.
	dangling map[string]int
}

func newDotenv(process map[string]string) *dotenv {
	return &dotenv{process: process, vars: make(map[string]string), dangling: make(map[string]int)}
}

// fileName returns the value of USER_SETTINGS_FILE.
func (d *dotenv) fileName() (string, problems) {
	var found problems
	if d.check(fileVariable, &found); found != nil {
		return "", found
	}
	return dropEmpty(d.vars)[fileVariable], nil
}

// add adds the variables of a file that was read after d's and overrides them, except with empty
// values.
func (d *dotenv) add(later *dotenv) {
	for name, value := range dropEmpty(later.vars) {
		d.vars[name], d.dangling[name] = value, later.dangling[name]
	}
}

// check reports a problem if the value of a variable refers to an undefined name. The name is not
// quoted: it may be part of a password that contains a $.
func (d *dotenv) check(name string, found *problems) {
	if line := d.dangling[name]; line > 0 {
		found.addf(name, "line %d of the file: a $ begins a name that is set neither in the process nor on an earlier line: put the value between single quotes to keep the $, or write \\$", line)
	}
}

var (
	utf8BOM = []byte("\xef\xbb\xbf")

	// statement matches the beginning of a line up to its value.
	statement = regexp.MustCompile(`^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*[=:]`)
	// reference matches a $ that refers to a variable, or an escaped $.
	reference = regexp.MustCompile(`\\\$|\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(\}?))`)
	// escape matches a backslash in double quotes and the character after it.
	escape = regexp.MustCompile(`(?s)\\.`)
)

const blank = " \t\v\f"

// parse adds the variables of a file's text.
func (d *dotenv) parse(src []byte) error {
	src = bytes.ReplaceAll(bytes.TrimPrefix(src, utf8BOM), []byte("\r\n"), []byte("\n"))
	text := strings.ReplaceAll(string(src), "\r", "\n")
	for rest := text; rest != ""; {
		line := strings.Count(text[:len(text)-len(rest)], "\n") + 1
		var ok bool
		if rest, ok = d.parseLine(rest, line); !ok {
			return fmt.Errorf("malformed near line %d: write NAME=value, close every quote and every ${, and start comments with #", line)
		}
	}
	return nil
}

// parseLine adds the variable that the first line of text sets, if any. It returns what follows
// that line or, if a quoted value spans several lines, the last of them.
func (d *dotenv) parseLine(text string, line int) (rest string, ok bool) {
	text = strings.TrimLeft(text, blank)
	if text == "" || text[0] == '\n' || text[0] == '#' {
		return nextLine(text), true
	}
	match := statement.FindStringSubmatch(text)
	if match == nil {
		return "", false
	}
	name, text := match[1], text[len(match[0]):]
	value := strings.TrimLeft(text, blank)
	expand := true
	switch {
	case strings.HasPrefix(value, "'"):
		expand = false
		value, rest, ok = strings.Cut(value[1:], "'")
	case strings.HasPrefix(value, `"`):
		value, rest, ok = cutDoubleQuoted(value[1:])
	default:
		value, _, _ = strings.Cut(text, "\n")
		rest, ok = text[len(value):], true
		value = strings.Trim(withoutComment(value), blank)
	}
	if after, _, _ := strings.Cut(rest, "\n"); !ok || strings.Trim(withoutComment(after), blank) != "" {
		return "", false
	}
	delete(d.dangling, name)
	if expand {
		var dangling bool
		if value, dangling, ok = d.expand(value); dangling {
			d.dangling[name] = line
		}
	}
	d.vars[name] = value
	return nextLine(rest), ok
}

func nextLine(text string) string {
	_, rest, _ := strings.Cut(text, "\n")
	return rest
}

// withoutComment cuts a line at a # that follows white space.
func withoutComment(line string) string {
	for i := 1; i < len(line); i++ {
		if line[i] == '#' && strings.IndexByte(blank, line[i-1]) >= 0 {
			return line[:i]
		}
	}
	return line
}

// cutDoubleQuoted returns the text before the closing quote, without its backslashes except for
// those before a $, which expand removes.
func cutDoubleQuoted(text string) (value, rest string, ok bool) {
	end := 0
	for ; end < len(text) && text[end] != '"'; end++ {
		if text[end] == '\\' {
			end++
		}
	}
	if end >= len(text) {
		return "", "", false
	}
	value = escape.ReplaceAllStringFunc(text[:end], func(s string) string {
		switch s[1] {
		case 'n':
			return "\n"
		case 'r':
			return "\r"
		case '$':
			return s
		}
		return s[1:]
	})
	return value, text[end+1:], true
}

// expand replaces $NAME and ${NAME} by the process's value or, if it has none, by that of an
// earlier line. A $ that begins no name stays. dangling reports whether a name is undefined; ok is
// false for a ${ without its }.
func (d *dotenv) expand(value string) (expanded string, dangling, ok bool) {
	ok = true
	expanded = reference.ReplaceAllStringFunc(value, func(s string) string {
		if s == `\$` {
			return "$"
		}
		match := reference.FindStringSubmatch(s)
		name := match[1] + match[2]
		if match[2] != "" && match[3] == "" {
			ok = false
		}
		if value, found := d.process[name]; found {
			return value
		}
		for file := d; file != nil; file = file.earlier {
			if value, found := file.vars[name]; found {
				dangling = dangling || file.dangling[name] > 0
				return value
			}
		}
		dangling = true
		return ""
	})
	return expanded, dangling, ok
}
