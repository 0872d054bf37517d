package examples_test

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
.a { fill: #0969da } .b { fill: #8c959f } .c { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.ground { fill: #151b23; stroke: #3d444d }
.quiet { fill: #9198a1 }
.kind { fill: #79c0ff }
.a { fill: #4493f8 } .b { fill: #6e7681 } .c { fill: #f0883e }
}
</style>
`

// TestPictures holds the pictures of the README against what they show: what Describe draws, and
// the table of figures in docs/performance.md. With -update it draws them again.
func TestPictures(t *testing.T) {
	t.Parallel()
	root, err := nest.Open(nil, Root, nest.NamesOnly())
	require.NoError(t, err)
	requirePicture(t, "tree.svg", drawTree(root.Describe().String()))

	page, err := os.ReadFile(filepath.Join("..", "docs", "performance.md"))
	require.NoError(t, err)
	requirePicture(t, "performance.svg", drawPlot(t, string(page)))
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

// figures finds a row of the table: an operation, goroutines, and three clients' microseconds.
var figures = regexp.MustCompile("(?m)^\\| `(\\w+)`(.*?), (\\d+) \\| ([\\d.]+) µs \\| ([\\d.]+) µs \\| ([\\d.]+) µs \\|")

func drawPlot(t *testing.T, page string) string {
	t.Helper()
	const left, scale = 250, 110
	var b strings.Builder
	fmt.Fprintf(&b, `<text x="16" y="28" class="quiet">Time of an operation, as a multiple of rueidis' own: shorter is better</text>`+"\n")
	y := 44
	rows := figures.FindAllStringSubmatch(page, -1)
	require.GreaterOrEqual(t, len(rows), 6, "the table of docs/performance.md has other rows")
	for _, row := range rows {
		plural := "s"
		if row[3] == "1" {
			plural = ""
		}
		fmt.Fprintf(&b, `<text x="16" y="%d" class="name">%s%s</text><text x="16" y="%d" class="quiet">%s goroutine%s</text>`+"\n",
			y+13, row[1], row[2], y+30, row[3], plural)
		base, err := strconv.ParseFloat(row[5], 64)
		require.NoError(t, err)
		for i, who := range []string{"nest", "rueidis", "go-redis"} {
			took, err := strconv.ParseFloat(row[4+i], 64)
			require.NoError(t, err)
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect class="%c" x="%d" y="%d" width="%.1f" height="11" rx="2"/><text x="%.1f" y="%d" class="quiet">%s µs</text>`+"\n",
				left-8, y+12, who, "abc"[i], left, y+2, took/base*scale, left+took/base*scale+6, y+12, row[4+i])
			y += 16
		}
		y += 12
	}
	return picture(left+4*scale+60, y+4, "Get and Set beside rueidis and go-redis", b.String())
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // writes to a Builder do not fail
	return b.String()
}
