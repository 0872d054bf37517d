package examples_test

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// style makes a picture readable wherever it is shown: it has a ground of its own, dark where the
// reader's screen is.
const style = `<style>
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; white-space: pre }
.ground { fill: #f6f8fa; stroke: #d1d9e0 }
.quiet { fill: #59636e }
.name { font-weight: 600 }
.kind { fill: #0550ae }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.ground { fill: #151b23; stroke: #3d444d }
.quiet { fill: #9198a1 }
.kind { fill: #79c0ff }
}
</style>
`

// TestPictures holds the picture of the README against what Describe draws. With -update it draws
// the picture again.
func TestPictures(t *testing.T) {
	t.Parallel()
	root, err := nest.Open(nil, Root, nest.NamesOnly())
	require.NoError(t, err)
	requirePicture(t, "tree.svg", drawTree(root.Describe().String()))
}

func requirePicture(t *testing.T, name, want string) {
	t.Helper()
	path := filepath.Join("..", "docs", name)
	if nesttest.Update() {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "docs/%s is old: go test -run TestPictures ./examples -update", name)
	require.NoError(t, xml.Unmarshal(got, new(struct{})))
}

func picture(width, height int, title, body string) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" role="img">
<title>%s</title>
%s<rect class="ground" x="0.5" y="0.5" width="%d" height="%d" rx="6"/>
%s</svg>
`, width, height, title, style, width-1, height-1, body)
}

// branch takes a line of Describe apart: the lines of the tree, the name, what it is, its settings.
var branch = regexp.MustCompile(`^([│├└─ ]*)(\S+)(?:  ([^\[—].*?))?(?:  (\[.*?\]))?(?:  (— .*))?$`)

func drawTree(text string) string {
	var b strings.Builder
	y, columns := 12, 0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		y += 19
		columns = max(columns, utf8.RuneCountInString(line))
		fmt.Fprintf(&b, `<text x="16" y="%d" xml:space="preserve">`, y)
		m := branch.FindStringSubmatch(line)
		if m == nil {
			m = []string{"", "", line, "", "", ""}
		}
		for i, class := range []string{"quiet", "name", "kind", "quiet", "quiet"} {
			if m[i+1] == "" {
				continue
			}
			gap := ""
			if i > 1 {
				gap = "  "
			}
			fmt.Fprintf(&b, `<tspan class="%s">%s%s</tspan>`, class, gap, escape(m[i+1]))
		}
		b.WriteString("</text>\n")
	}
	return picture(32+columns*8, y+20, "A keyspace as Describe draws it", b.String())
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // writes to a Builder do not fail
	return b.String()
}
