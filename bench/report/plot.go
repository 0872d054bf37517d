package main

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	draws "gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours that can be read on a white and on a black page: a picture does not know on which one it
// is, because a site's own switch between light and dark is not that of the screen.
var (
	inkColour  = color.NRGBA{0x75, 0x7e, 0x88, 0xff}
	lostColour = color.NRGBA{0xd2, 0x5f, 0x2c, 0xff}
	evenColour = color.NRGBA{0x7f, 0x88, 0x93, 0xff}
	wonColour  = color.NRGBA{0x2a, 0x98, 0x66, 0xff}
)

// pale is the colour of a bar, over which the line for its middle half is in full colour.
func pale(c color.NRGBA) color.NRGBA {
	c.A = 0x73
	return c
}

// plots are the pictures of ratios: the benchmarks of each, by the names of their files.
var plots = []struct{ file, title, bench string }{
	{"names.svg", "Making a key's name", "RatioResolve"},
	{"values.svg", "Reading and writing a value", "RatioGet|RatioSet|RatioCached"},
	{"crowd.svg", "Many goroutines", "RatioCrowd"},
	{"flush.svg", "Reading with a flush delay of 20 µs", "RatioFlush"},
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
		several := strings.Contains(p.bench, "|")
		for name := range strings.SplitSeq(p.bench, "|") {
			for _, b := range m.bars(name) {
				if !several {
					b.name = strings.TrimPrefix(b.name, plain(name)+" ")
				}
				bars = append(bars, b)
			}
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
				bars = append(bars, bar{rowName(w, r), x, low, high, r.verdict(), ratio(x)})
			}
		}
	}
	return bars
}

// newPlot returns an empty plot without a ground.
func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.Title.Padding = title, vg.Points(6)
	p.BackgroundColor = nil
	styles := []*text.Style{&p.Title.TextStyle, &p.Legend.TextStyle}
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Tick.Color = inkColour, inkColour
		styles = append(styles, &axis.Label.TextStyle, &axis.Tick.Label)
	}
	for _, s := range styles {
		s.Color, s.Font.Variant = inkColour, "Sans"
	}
	p.Title.TextStyle.Font.Size, p.Legend.TextStyle.Font.Size = vg.Points(12), vg.Points(10)
	return p
}

// draw draws bars from top to bottom, each as long as nest takes for a second of the other's, with
// a line for the middle half of the passes. The ratios stand in a column beside them.
func draw(path, title string, bars []bar) error {
	p := newPlot(title + ": nest's time for each second of the other's")
	longest := 1.1
	for _, b := range bars {
		longest = max(longest, b.high, b.x)
	}
	p.X.Min, p.X.Max = 0, longest*1.12
	step := 0.5
	if longest > 5 {
		step = 1
	}
	var ticks plot.ConstantTicks
	for at := 0.0; at <= p.X.Max; at += step {
		ticks = append(ticks, plot.Tick{Value: at, Label: strconv.FormatFloat(at, 'f', -1, 64)})
	}
	p.X.Tick.Marker = ticks
	one, err := plotter.NewLine(plotter.XYs{{X: 1, Y: -0.6}, {X: 1, Y: float64(len(bars)) - 0.4}})
	if err != nil {
		return err
	}
	one.Color, one.Dashes = inkColour, []vg.Length{vg.Points(3), vg.Points(3)}
	p.Add(one)
	names := make([]string, len(bars))
	for i, b := range bars {
		at := float64(len(bars) - 1 - i)
		names[len(bars)-1-i] = b.name
		chart, err := plotter.NewBarChart(plotter.Values{b.x}, vg.Points(10))
		if err != nil {
			return err
		}
		colour := map[string]color.NRGBA{"lost": lostColour, "won": wonColour, "": evenColour}[b.verdict]
		chart.Horizontal, chart.XMin, chart.LineStyle.Width, chart.Color = true, at, 0, pale(colour)
		middle, err := plotter.NewXErrorBars(struct {
			plotter.XYs
			plotter.XErrors
		}{plotter.XYs{{X: b.x, Y: at}}, plotter.XErrors{{Low: b.low - b.x, High: b.high - b.x}}})
		if err != nil {
			return err
		}
		middle.Color, middle.Width, middle.CapWidth = colour, vg.Points(1.5), vg.Points(6)
		label, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: p.X.Max, Y: at}}, Labels: []string{b.shown}})
		if err != nil {
			return err
		}
		style := &label.TextStyle[0]
		style.Color, style.Font.Variant, style.XAlign, style.YAlign = inkColour, "Sans", text.XRight, -0.4
		p.Add(chart, middle, label)
	}
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.6, float64(len(bars))-0.4
	return write(path, p, 64+16*float64(len(bars)))
}

// write writes a plot of that height, in points, into a file.
func write(path string, p *plot.Plot, height float64) error {
	const width, margin = 640, 6
	canvas := vgsvg.New(vg.Points(width), vg.Points(height))
	p.Draw(draws.Crop(draws.New(canvas), margin, -margin, margin, -margin))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	return os.WriteFile(path, fitted(b.Bytes(), p.Title.TextStyle), 0o600)
}

var (
	fontFamily = []byte("font-family:Liberation Sans")
	// written finds a text, its size, and what it says.
	written = regexp.MustCompile(`(?s)<text ([^>]*?font-size:([\d.]+)px[^>]*)>([^<]*)</text>`)
)

// fitted lets every browser show the texts as wide as they were measured: in a font of the same
// measures if it has one, or else squeezed.
func fitted(svg []byte, measure text.Style) []byte {
	svg = bytes.ReplaceAll(svg, fontFamily, []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif"))
	return written.ReplaceAllFunc(svg, func(found []byte) []byte {
		m := written.FindSubmatch(found)
		points, err := strconv.ParseFloat(string(m[2]), 64)
		if err != nil {
			return found
		}
		measure.Font.Size = vg.Points(points)
		return fmt.Appendf(nil, `<text textLength="%.1f" lengthAdjust="spacingAndGlyphs" %s>%s</text>`,
			measure.Width(html.UnescapeString(string(m[3]))).Points(), m[1], m[3])
	})
}
