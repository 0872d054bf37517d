package env

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseFile(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       map[string]string
	}{
		{"empty", "", map[string]string{}},
		{"blank and comments", "\n  \n# A=1\n\t# B=2", map[string]string{}},
		{"plain", "A=1\nB = 2 \nC=", map[string]string{"A": "1", "B": "2", "C": ""}},
		{"export", "export A=1\n  export\tB=2", map[string]string{"A": "1", "B": "2"}},
		{"single quotes", `A='a $B "b" # c'`, map[string]string{"A": `a $B "b" # c`}},
		{"double quotes", `A="a \"b\" # c\nd"`, map[string]string{"A": "a \"b\" # c\nd"}},
		{"trailing comment", "A=1 # one\nB='2' # two\nC=a#b", map[string]string{"A": "1", "B": "2", "C": "a#b"}},
		{"lines", "A=\"1\n2\n3\"\nB='x\ny'", map[string]string{"A": "1\n2\n3", "B": "x\ny"}},
		{"expansion", "A=1\nB=${A}2\nC=\"$A\"\nD='$A'", map[string]string{"A": "1", "B": "12", "C": "1", "D": "$A"}},
		{"CRLF", "A=1\r\nB='2'\r\n", map[string]string{"A": "1", "B": "2"}},
		{"BOM", "\xef\xbb\xbfA=1", map[string]string{"A": "1"}},
		{"last wins", "A=1\nA=2", map[string]string{"A": "2"}},
		{"equals", "A=b=c==", map[string]string{"A": "b=c=="}},
		{"URL", "A=redis://u:p@h:1/0?addr=b", map[string]string{"A": "redis://u:p@h:1/0?addr=b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseFile([]byte(tt.text))
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestParseFileRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		line       string
	}{
		{"no equals", "A=1\nB\nC=3", "line 2:"},
		{"no equals at the end", "A=1\nB", "line 2:"},
		{"two words", "A=1\n\n\nB C=2", "line 4:"},
		{"no name", "=1", "line 1:"},
		{"a digit first", "1A=1", "line 1:"},
		{"odd name", "A-B=1", "line 1:"},
		{"letter of another script", "A=1\n\xe9=1", "line 2:"},
		{"open single quote", "A=1\nB='x\nC=3\n", "line 2:"},
		{"open double quote", "A=\"1\n2\"\nB=\"x\nC=3\n", "line 3:"},
		{"long after an open quote", "A=1\nB='x\n" + strings.Repeat("C=3\n", 1000), "line 2:"},
		{"UTF-16", "\xff\xfeA\x00=\x001\x00", "line 1:"},
		{"binary", "\x7fELF\x02\x01", "line 1:"},
		{"malformed far below", strings.Repeat("A=1\n", 5000) + "?", "line 5001:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseFile([]byte(tt.text))
			require.ErrorContains(t, err, tt.line)
		})
	}
}

func FuzzParseFile(f *testing.F) {
	for _, seed := range []string{
		"A=1\n", "export A='1' # c\n", "A=\"x\n$B ${C} \\n\"", "A", "=", "A='", "A=\"\\\"", "\xef\xbb\xbfA: 1", "A=$(B)", "\xff\xfe",
	} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		vars, err := parseFile([]byte(before + sentinel + after))
		if err != nil {
			require.NotContains(t, err.Error(), sentinel)
			return
		}
		for name := range vars {
			require.Regexp(t, variableName, name)
		}
	})
}
