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
		{"first comment wins", "A=a # b # c\nB= # c\nC=#c", map[string]string{"A": "a", "B": "", "C": "#c"}},
		{"a $ that begins no name", "A=Sup3r$3cret\nB=a$\nC=$$\nD=\"$(x) $! ${} $ \"\nE=\\$A", map[string]string{
			"A": "Sup3r$3cret", "B": "a$", "C": "$$", "D": "$(x) $! ${} $ ", "E": "$A",
		}},
		{"names of any case", "aB_1=x\nC=$aB_1-${aB_1}y", map[string]string{"aB_1": "x", "C": "x-xy"}},
		{"an empty value is a value", "A=\nB=x$A", map[string]string{"A": "", "B": "x"}},
		{"single quotes keep all", `A='a\n\$B${C}\'`, map[string]string{"A": `a\n\$B${C}\`}},
		{"escapes", `A="a\n\r\t\\\"\$B"`, map[string]string{"A": "a\n\rt\\\"$B"}},
		{"quotes within", `A='"a"'` + "\n" + `B="'b'"`, map[string]string{"A": `"a"`, "B": "'b'"}},
		{"expanded once", "A='$B'\nB=b\nC=$A", map[string]string{"A": "$B", "B": "b", "C": "$B"}},
		{"URL", "A=redis://u:p@h:1/0?addr=b", map[string]string{"A": "redis://u:p@h:1/0?addr=b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDotenv(nil)
			require.NoError(t, d.parse([]byte(tt.text)))
			require.Equal(t, tt.want, d.vars)
			require.Empty(t, d.dangling)
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
		{"behind a quote", "A=1\nB='x'y", "line 2:"},
		{"an open brace", "A=1\nB=${A", "line 2:"},
		{"a shell's default", "A=1\nB=${A:-x}", "line 2:"},
		{"UTF-16", "\xff\xfeA\x00=\x001\x00", "line 1:"},
		{"binary", "\x7fELF\x02\x01", "line 1:"},
		{"malformed far below", strings.Repeat("A=1\n", 5000) + "?", "line 5001:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.ErrorContains(t, newDotenv(nil).parse([]byte(tt.text)), tt.line)
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
		d := newDotenv(map[string]string{"P": "q"})
		if err := d.parse([]byte(before + sentinel + after)); err != nil {
			require.NotContains(t, err.Error(), sentinel)
			return
		}
		for name := range d.vars {
			require.Regexp(t, `^[A-Za-z_][A-Za-z0-9_.]*$`, name)
		}
	})
}

// The process's own variables used to be ignored, and an undefined name was empty, even as the host
// of a URL.
func TestLoadExpands(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".env", "PORT=1\nREDIS_URL=redis://:pw@$DBHOST:${PORT}\nUNUSED=$NOWHERE\nREDIS_PASS=\n")
	for _, tt := range []struct {
		vars []string
		want string // "" for an error
	}{
		{[]string{"DBHOST=db.example"}, "redis://:pw@db.example:1"},
		{[]string{"DBHOST=db.example", "PORT=2"}, "redis://:pw@db.example:2"},
		{[]string{"REDIS_URL=redis://h"}, "redis://h"},
		{nil, ""},
		{[]string{"DBHOST="}, ""},
	} {
		c, err := Load(WithEnviron(tt.vars), WithDir(dir))
		if tt.want == "" {
			requireProblems(t, err, "REDIS_URL: line 2 of the file: a $ begins a name that is set neither")
			require.NotContains(t, err.Error(), "DBHOST", "it could be a part of a password")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, tt.want, c.URL.Reveal())
	}
	write(t, dir, ".env", "REDIS_PASS=Sup3r$3cret\nX=$Y\nREDIS_USERNAME=$X\nREDIS_HOST=$HOST\nUSER_SETTINGS_FILE=$NAME.env\n")
	write(t, dir, "more.env", "REDIS_HOST=again.$HOST\nREDIS_USERNAME=u\n")
	c, err := Load(WithEnviron([]string{"NAME=more", "HOST=h"}), WithDir(dir))
	require.NoError(t, err)
	require.Equal(t, "Sup3r$3cret", c.Password.Reveal())
	require.Equal(t, "again.h", c.Host)
	require.Equal(t, "u", c.Username)
	_, err = Load(WithEnviron([]string{"HOST=h"}), WithDir(dir))
	requireProblems(t, err, "USER_SETTINGS_FILE: line 5", "REDIS_USERNAME: line 3")
}
