package main

import (
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	draws "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours that can be read on a white and on a black page.
var (
	inkColour  = color.RGBA{0x7d, 0x85, 0x90, 0xff}
	lostColour = color.RGBA{0xd9, 0x6b, 0x3c, 0xff}
	evenColour = color.RGBA{0x8a, 0x93, 0x9f, 0xff}
	wonColour  = color.RGBA{0x2f, 0x9e, 0x6e, 0xff}
)

// plots are the pictures of ratios: the benchmarks of each, by the names of their files.
var plots = []struct{ file, title, bench string }{
	{"names.svg", "Making a key's name", "RatioResolve"},
	{"values.svg", "Reading and writing a value", "RatioGet|RatioSet|RatioCached"},
	{"together.svg", "Batches and transactions", "RatioBatch|RatioLoadMany|RatioTransact"},
	{"flows.svg", "Locks, limiters, streams", "RatioLock|RatioLimiter|RatioConsume"},
	{"walks.svg", "Walks over a million keys", "RatioKeys|RatioClear|RatioCountWhere|RatioClearWhere|RatioIterate|RatioAudit"},
}

// plot draws the ratios into a folder, a bar for each and a line over it for the middle half, and
// how the time of a walk grows.
func (m *measurements) plot(folder string) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	for _, p := range plots {
		var bars []bar
		for name := range strings.SplitSeq(p.bench, "|") {
			bars = append(bars, m.bars(name)...)
		}
		if len(bars) == 0 {
			continue
		}
		if err := draw(filepath.Join(folder, p.file), p.title, bars); err != nil {
			return err
		}
	}
	return m.drawGrowth(filepath.Join(folder, "growth.svg"))
}

// bar is a ratio with its middle half.
type bar struct {
	name           string
	x, low, high   float64
	verdict, shown string
}

func (m *measurements) bars(benchmark string) []bar {
	var bars []bar
	for _, w := range m.works {
		if w.benchmark() != benchmark {
			continue
		}
		for _, r := range w.rivals {
			if x, ok := r.quantile(timeRatio, 0.5); ok {
				low, _ := r.quantile(timeRatio, 0.25)
				high, _ := r.quantile(timeRatio, 0.75)
				bars = append(bars, bar{plain(w.name) + " / " + plain(r.name), x, low, high, r.verdict(), ratio(x)})
			}
		}
	}
	return bars
}

// newPlot returns an empty plot that can be read on a white and on a black page.
func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.BackgroundColor = color.Transparent
	p.Title.TextStyle.Color, p.Legend.TextStyle.Color = inkColour, inkColour
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Label.TextStyle.Color, axis.Tick.Color, axis.Tick.Label.Color = inkColour, inkColour, inkColour, inkColour
	}
	return p
}

// draw draws bars from top to bottom, each as long as nest takes for a second of the other's.
func draw(path, title string, bars []bar) error {
	p := newPlot(title + ": nest's time for each second of the other's")
	p.X.Min, p.X.Max = 0, 1.2
	names := make([]string, len(bars))
	for i, b := range bars {
		at := len(bars) - 1 - i
		names[at] = b.name
		p.X.Max = max(p.X.Max, b.high*1.05)
		chart, err := plotter.NewBarChart(plotter.Values{b.x}, vg.Points(10))
		if err != nil {
			return err
		}
		chart.Horizontal, chart.XMin, chart.LineStyle.Width = true, float64(at), 0
		chart.Color = map[string]color.Color{"lost": lostColour, "won": wonColour, "": evenColour}[b.verdict]
		middle, err := plotter.NewLine(plotter.XYs{{X: b.low, Y: float64(at)}, {X: b.high, Y: float64(at)}})
		if err != nil {
			return err
		}
		middle.Color, middle.Width = inkColour, vg.Points(1.5)
		label, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: max(b.high, b.x), Y: float64(at)}}, Labels: []string{" " + b.shown}})
		if err != nil {
			return err
		}
		label.TextStyle[0].Color, label.TextStyle[0].YAlign = inkColour, -0.4
		p.Add(chart, middle, label)
	}
	one, err := plotter.NewLine(plotter.XYs{{X: 1, Y: -0.6}, {X: 1, Y: float64(len(bars)) - 0.4}})
	if err != nil {
		return err
	}
	one.Color, one.Dashes = inkColour, []vg.Length{vg.Points(3), vg.Points(3)}
	p.Add(one)
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.6, float64(len(bars))-0.4
	return write(path, p, 60+16*float64(len(bars)))
}

// write writes a plot of that height, in points, into a file.
func write(path string, p *plot.Plot, height float64) error {
	canvas := vgsvg.New(vg.Points(640), vg.Points(height))
	p.Draw(draws.New(canvas))
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(f); err != nil {
		_ = f.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Close()
}
