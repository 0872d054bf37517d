package lockfile

import (
	"fmt"
	"strings"
	"time"
)

// span writes a number of seconds as a person would: 24h, 1h30m.
func span(seconds float64) string {
	text := time.Duration(seconds * float64(time.Second)).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Broken describes the changes that orphan or misread what is stored, or returns "".
func Broken(changes []Change) string {
	var b strings.Builder
	for _, c := range changes {
		if !c.Breaks() {
			continue
		}
		c.write(&b)
		fmt.Fprintf(&b, "    %s\n", c.Lives)
		for _, way := range c.Ways {
			fmt.Fprintf(&b, "    way out: %s\n", way)
		}
	}
	return b.String()
}

// Fine describes the changes with which everything that is stored is read as before, or returns "".
func Fine(changes []Change) string {
	var b strings.Builder
	for _, c := range changes {
		if !c.Breaks() {
			c.write(&b)
		}
	}
	return b.String()
}

func (c Change) write(b *strings.Builder) {
	b.WriteString("  " + c.Key)
	if c.Source != "" {
		b.WriteString(" (" + c.Source + ")")
	}
	b.WriteString("\n")
	for _, what := range c.What {
		fmt.Fprintf(b, "    %s\n", what)
	}
}
