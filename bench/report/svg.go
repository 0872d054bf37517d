package main

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// Sizes of the plot, in pixels.
const (
	plotWidth  = 760
	nameWidth  = 260
	barWidth   = 400 // of the longest bar
	rowHeight  = 18
	workGap    = 10
	longestBar = 4 // the longest bar is this many times ours; longer ones are cut
)

// svg draws a bar for each rival, as long as its time relative to ours.
func (m *measurements) svg(ours string) string {
	var b strings.Builder
	y := 30
	for _, w := range m.works {
		o := w.rival(ours)
		if o == nil || o.time() == 0 {
			continue
		}
		text(&b, 8, y+13, "bold", w.name)
		for _, r := range w.rivals {
			times, colour, end := 1.0, "#c33", ""
			if x, ok := w.ratio(ours, r); ok && x > 0 {
				times, colour = 1/x, "#9ab"
			}
			if times > longestBar {
				end = " →"
			}
			text(&b, nameWidth-90, y+13, "normal", r.name)
			long := min(times, longestBar) / longestBar * barWidth
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", nameWidth, y+2, long, rowHeight-4, colour)
			text(&b, nameWidth+int(long)+6, y+13, "normal", fmt.Sprintf("%.2f%s  (%s)", times, end, duration(r.time())))
			y += rowHeight
		}
		y += workGap
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="white"/>
<text x="8" y="18">Time, as a multiple of %s: less is better</text>
%s</svg>
`, plotWidth, y, escape(ours), b.String())
}

func text(b *strings.Builder, x, y int, weight, s string) {
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="%s">%s</text>`+"\n", x, y, weight, escape(s))
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // writes to a Builder do not fail
	return b.String()
}
