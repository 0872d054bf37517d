package nest

import (
	"fmt"
	"strings"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// String returns the description as a tree, with one declaration on each line.
func (d Description) String() string {
	if d.Kind == "" {
		return ""
	}
	var b strings.Builder
	d.draw(&b, "", "")
	return b.String()
}

func (d Description) draw(b *strings.Builder, first, rest string) {
	title := names.Printable(d.Template)
	if first == "" {
		title = names.Printable(d.Name)
	}
	if title == "" {
		title = "(no prefix)"
	}
	b.WriteString(first + title)
	if d.Kind != KindCluster {
		fmt.Fprintf(b, "  %s", d.kindAndType())
	}
	if notes := d.notes(); len(notes) > 0 {
		b.WriteString("  [" + strings.Join(notes, ", ") + "]")
	}
	if d.Doc != "" {
		b.WriteString("  — " + oneLine(d.Doc))
	}
	b.WriteByte('\n')
	for i, n := range d.Nodes {
		if i == len(d.Nodes)-1 {
			n.draw(b, rest+"└─ ", rest+"   ")
		} else {
			n.draw(b, rest+"├─ ", rest+"│  ")
		}
	}
}

func (d Description) kindAndType() string {
	if d.Type == "" {
		return string(d.Kind)
	}
	return string(d.Kind) + " " + d.Type
}

// oneLine keeps a text from breaking a line or a table.
func oneLine(s string) string { return names.Printable(strings.Join(strings.Fields(s), " ")) }

// Markdown returns the declared keys as a table in GitHub's flavour, with one row for each key.
func (d Description) Markdown() string {
	var b strings.Builder
	b.WriteString("| Key | Kind | Type | Parameters | Settings | Description |\n| --- | --- | --- | --- | --- | --- |\n")
	d.rows(&b)
	return b.String()
}

func (d Description) rows(b *strings.Builder) {
	if d.Kind != KindCluster && d.Kind != "" {
		var params []string
		for _, p := range d.Params {
			text := p.Name
			if p.Type != "" {
				text += " " + p.Type
			}
			if p.Layout != "" {
				text += " as " + p.Layout
			}
			params = append(params, text)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", code(d.Name), d.Kind, code(d.Type),
			cell(strings.Join(params, ", ")), cell(strings.Join(d.notes(), ", ")), cell(oneLine(d.Doc)))
	}
	for _, n := range d.Nodes {
		n.rows(b)
	}
}

var markdownCell = strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "`", "&#96;", "*", `\*`, "_", `\_`)

func cell(s string) string { return markdownCell.Replace(s) }

// code formats a text as code. It escapes bars, which would end the cell even there.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "`` " + strings.ReplaceAll(names.Printable(s), "|", `\|`) + " ``"
}

// Mermaid returns the description as a graph for Mermaid, in which clusters lead to their contents.
func (d Description) Mermaid() string {
	var b strings.Builder
	b.WriteString("graph LR\n")
	n := 0
	if d.Kind != "" {
		d.graph(&b, &n)
	}
	return b.String()
}

func (d Description) graph(b *strings.Builder, n *int) int {
	id := *n
	*n++
	if d.Kind == KindCluster {
		label := d.Template
		if id == 0 {
			label = d.Name
		}
		fmt.Fprintf(b, "    n%d[\"%s\"]\n", id, mermaidText(label))
	} else {
		fmt.Fprintf(b, "    n%d([\"%s<br/>%s\"])\n", id, mermaidText(d.Template), mermaidText(d.kindAndType()))
	}
	for _, sub := range d.Nodes {
		to := sub.graph(b, n)
		fmt.Fprintf(b, "    n%d --> n%d\n", id, to)
	}
	return id
}

// mermaidEntities replaces the characters that end or change a quoted label by Mermaid's own
// entities.
var mermaidEntities = strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "`", "#96;")

func mermaidText(s string) string {
	if s == "" {
		return "(no prefix)"
	}
	return mermaidEntities.Replace(names.Printable(s))
}
