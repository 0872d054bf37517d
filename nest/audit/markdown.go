package audit

import (
	"fmt"
	"strings"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// Markdown returns the report in GitHub's flavour.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Audit of %s\n\n%s\n", code(r.title()), r.headline())
	if len(r.Findings) > 0 {
		b.WriteString("\n## Findings\n\n| Finding | Declaration or shape | Keys | Examples | Declared at |\n| --- | --- | ---: | --- | --- |\n")
		for _, f := range r.Findings {
			examples := make([]string, len(f.Examples))
			for i, key := range f.Examples {
				examples[i] = code(key)
			}
			text := strings.Join(examples, ", ")
			if f.Text != "" {
				text += ": " + cell(f.Text)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", f.Kind, code(f.Template), number(f.Keys), text, cell(f.Source))
		}
	}
	b.WriteString("\n## Keys\n\n| Key | Kind | Type | Keys | Memory | Elements | Longest | Redis | Encoding |\n" +
		"| --- | --- | --- | ---: | ---: | ---: | ---: | --- | --- |\n")
	row := func(name, kind, goType string, s *Stats) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", name, cell(kind), code(goType),
			number(s.Keys), s.memory(), number(s.Elements), number(s.Longest), cell(list(s.Types)), cell(list(s.Encodings)))
	}
	for i := range r.Keys {
		k := &r.Keys[i]
		row(code(k.Name), string(k.Kind), k.GoType, &k.Stats)
	}
	for i := range r.Undeclared {
		row(code(r.Undeclared[i].Shape), "undeclared", "", &r.Undeclared[i].Stats)
	}
	if r.Companions.Keys > 0 {
		row("companions", "", "", &r.Companions)
	}
	row("**all**", "", "", &r.Total)
	if len(r.Clusters) > 1 {
		b.WriteString("\n## Clusters\n\n| Cluster | Keys | Memory |\n| --- | ---: | ---: |\n")
		for i := range r.Clusters {
			c := &r.Clusters[i]
			fmt.Fprintf(&b, "| %s | %s | %s |\n", code(c.Name), number(c.Keys), c.memory())
		}
	}
	b.WriteString("\n## Time to live\n\n| Time to live | Keys | Share |\n| --- | ---: | ---: |\n")
	for _, bucket := range r.Total.TTLs {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.ReplaceAll(bucket.label(), ">", "&gt;"), number(bucket.Keys), percent(bucket.Keys, r.Total.Keys))
	}
	if len(r.Total.Largest) > 0 {
		b.WriteString("\n## Largest keys\n\n| Key | Memory | Elements |\n| --- | ---: | ---: |\n")
		for _, big := range r.Total.Largest {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", code(big.Key), size(big.Bytes), number(big.Len))
		}
	}
	b.WriteByte('\n')
	for _, note := range r.notes() {
		b.WriteString("- " + cell(note) + "\n")
	}
	return b.String()
}

// cell keeps a text from ending a cell, and from being taken for HTML or for more than text.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, `\`, `\\`).
		Replace(names.Printable(s))
}

// entities writes each character that has a meaning in Markdown as an HTML entity. A backslash
// would not do: the name may have one before it, which would escape ours.
var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "&#124;", `\`, "&#92;", "`", "&#96;",
	"*", "&#42;", "_", "&#95;", "[", "&#91;", "]", "&#93;", "!", "&#33;", "~", "&#126;", ":", "&#58;")

// code returns a text as code in a cell. A text with a backslash is written as HTML: in a span of
// Markdown's own, a backslash and a bar would end the cell.
func code(s string) string {
	if s == "" {
		return ""
	}
	s = names.Printable(s)
	if strings.Contains(s, `\`) {
		return "<code>" + entities.Replace(s) + "</code>"
	}
	s = strings.ReplaceAll(s, "|", `\|`)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		s = " " + s + " "
	}
	return fence + s + fence
}
