package audit

import (
	"cmp"
	"slices"
)

// box is a rectangle of the map of a report.
type box struct {
	X, Y, W, H float64
	Name       string // the whole name
	Label      string // what fits, or ""
	Note       string // likewise
	Title      string // for those who ask
	Tone       int    // that of the outermost cluster that it is in
	Fit        int    // pixels of its labels
	weight     int64
	parts      []box // that are laid out in it
}

// squarify lays out boxes in a rectangle, each with an area as its weight, and nearly as squares
// (Bruls, Huizing and van Wijk). Boxes without a weight are left out.
func squarify(boxes []box, x, y, w, h float64) []box {
	boxes = slices.DeleteFunc(boxes, func(b box) bool { return b.weight <= 0 })
	slices.SortStableFunc(boxes, func(a, b box) int { return cmp.Compare(b.weight, a.weight) })
	total := 0.0
	for _, b := range boxes {
		total += float64(b.weight)
	}
	rest := boxes
	for len(rest) > 0 {
		// A row along the shorter side gets boxes as long as they become more like squares.
		side := min(w, h)
		scale := w * h / total
		n, sum, worst := 0, 0.0, 0.0
		for n < len(rest) {
			more := sum + float64(rest[n].weight)
			thick := more * scale / side
			now := 0.0
			for _, b := range rest[:n+1] {
				long := float64(b.weight) * scale / thick
				now = max(now, long/thick, thick/long)
			}
			if n > 0 && now > worst {
				break
			}
			n, sum, worst = n+1, more, now
		}
		thick := sum * scale / side
		at := 0.0
		for i := range rest[:n] {
			long := float64(rest[i].weight) * scale / thick
			if w >= h {
				rest[i].X, rest[i].Y, rest[i].W, rest[i].H = x, y+at, thick, long
			} else {
				rest[i].X, rest[i].Y, rest[i].W, rest[i].H = x+at, y, long, thick
			}
			at += long
		}
		if w >= h {
			x, w = x+thick, w-thick
		} else {
			y, h = y+thick, h-thick
		}
		total -= sum
		rest = rest[n:]
	}
	return boxes
}
