package main

import (
	"image/color"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// growth is how long something takes for more and more keys: "count of 10000", by whom.
const growth = "Growth"

// drawGrowth draws the time of each contender over the number of keys, both on log axes, with the
// middle half of the passes if there are several. Without such measurements it draws nothing.
func (m *measurements) drawGrowth(path string) error {
	var names []string
	lines, spreads := map[string]plotter.XYs{}, map[string]plotter.YErrors{}
	for _, w := range m.works {
		_, keys, ok := strings.Cut(plain(w.name), " count of ")
		if w.benchmark() != growth || !ok {
			continue
		}
		n, err := strconv.ParseFloat(keys, 64)
		if err != nil {
			return err
		}
		for _, r := range w.rivals {
			x, ok := r.quantile("ns/op", 0.5)
			if !ok {
				continue
			}
			low, _ := r.quantile("ns/op", 0.25)
			high, _ := r.quantile("ns/op", 0.75)
			if lines[r.name] == nil {
				names = append(names, r.name)
			}
			lines[r.name] = append(lines[r.name], plotter.XY{X: n, Y: x / 1e9})
			spreads[r.name] = append(spreads[r.name], struct{ Low, High float64 }{(x - low) / 1e9, (high - x) / 1e9})
		}
	}
	if len(names) == 0 {
		return nil
	}
	p := newPlot("Counting the keys of a scope")
	p.X.Label.Text, p.Y.Label.Text = "keys", "seconds"
	p.X.Label.Padding, p.Legend.Padding = vg.Points(3), vg.Points(3)
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = decades{}, decades{}
	p.Legend.Top, p.Legend.Left = true, true
	colours := []color.NRGBA{wonColour, lostColour, evenColour}
	for i, name := range names {
		line, points, err := plotter.NewLinePoints(lines[name])
		if err != nil {
			return err
		}
		bars, err := plotter.NewYErrorBars(struct {
			plotter.XYs
			plotter.YErrors
		}{lines[name], spreads[name]})
		if err != nil {
			return err
		}
		colour := colours[i%len(colours)]
		line.Color, line.Width, points.Color, bars.Color = colour, vg.Points(1.5), colour, colour
		p.Add(line, points, bars)
		p.Legend.Add(plain(name), line, points)
	}
	p.Y.Min, p.Y.Max = math.Pow(10, math.Floor(math.Log10(p.Y.Min))), math.Pow(10, math.Ceil(math.Log10(p.Y.Max)))
	return write(path, p, 320)
}

// decades are the ticks of an axis, a label at each power of ten.
type decades struct{}

func (decades) Ticks(low, high float64) []plot.Tick {
	ticks := plot.LogTicks{Prec: -1}.Ticks(low, high)
	for i, t := range ticks {
		if t.Label == "" {
			continue
		}
		label := strconv.FormatFloat(t.Value, 'f', -1, 64)
		for at := len(label) - 3; t.Value > 1 && at > 0; at -= 3 {
			label = label[:at] + "," + label[at:]
		}
		ticks[i].Label = label
	}
	return ticks
}
