package operations

import (
	"errors"
	"go/ast"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	parentheses = regexp.MustCompile(`\(([^()]*)\)`)
	commandWord = regexp.MustCompile(`^[A-Z]{3,}(?:_RO)?\b`)
	needed      = regexp.MustCompile(`,? *(Redis \d+\.\d+(?:\.\d+)?(?: or Valkey \d+(?:\.\d+)?)?)$`)
	number      = regexp.MustCompile(`^-?\d+$`)
	sentences   = regexp.MustCompile(`Commands?: (.*?)\.(?: |$)`)
)

// described returns the commands that a doc comment names in parentheses, or in a sentence that
// begins with "Commands:", and the version that it says they need. If the comment names several
// versions, the last one holds for all commands.
func described(doc *ast.CommentGroup) (command, needs string, err error) {
	if doc == nil {
		return "", "", errors.New("no doc comment")
	}
	text := strings.Join(strings.Fields(doc.Text()), " ")
	var parts []string
	for _, m := range sentences.FindAllStringSubmatch(text, -1) {
		parts = append(parts, m[1])
		text = strings.ReplaceAll(text, m[0], "")
	}
	for _, m := range parentheses.FindAllStringSubmatch(text, -1) {
		if commandWord.MatchString(m[1]) {
			parts = append(parts, m[1])
		}
	}
	for i, part := range parts {
		if m := needed.FindStringSubmatch(part); m != nil {
			needs, parts[i] = m[1], strings.TrimSuffix(part, m[0])
		}
	}
	if len(parts) == 0 {
		return "", "", errors.New("the doc comment names no Redis command in parentheses")
	}
	return strings.Join(parts, "; "), needs, nil
}

// Commands returns the names of the Redis commands: "SET", "XGROUP". A capitalized word that
// follows a command or a number, or follows "with", is an option of the command.
func (o Operation) Commands() []string {
	var names []string
	before := ""
	for word := range strings.FieldsSeq(o.Command) {
		name := strings.TrimRight(word, ",;")
		if _, err := strconv.Atoi(name); err == nil {
			continue
		}
		if commandWord.FindString(name) != name {
			before = word
			continue
		}
		if before != "with" && commandWord.FindString(before) == "" && !number.MatchString(before) && !slices.Contains(names, name) {
			names = append(names, name)
		}
		if before = name; name != word {
			before = ""
		}
	}
	return names
}
