package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

// The estimate is near the truth, and the sample as small as it should be.
func TestMemoryIsEstimated(t *testing.T) {
	t.Parallel()
	o := &options{sample: 1000, examples: 5}
	tally, asked := newTally(), 0
	truth := int64(0)
	for n := range 200_000 {
		bytes := int64(50 + n%100)
		if n > 100_000 { // the later ones are larger
			bytes *= 3
		}
		truth += bytes
		i := nest.Inspection{Type: "string", Len: bytes, TTL: nest.Forever}
		tally.add(&i)
		if weight, chosen := tally.choose(&i, tally.keys, o); chosen {
			asked++
			tally.measure(bytes, weight)
			tally.largest = keepLargest(tally.largest, Sized{"key", bytes, bytes}, o.examples)
		}
	}
	s := tally.stats()
	require.True(t, s.Estimated())
	require.InDelta(t, float64(truth), float64(s.Bytes), 0.15*float64(truth))
	require.Less(t, asked, 10_000)
	require.Len(t, s.Largest, 5)
	for _, big := range s.Largest {
		require.EqualValues(t, 3*149, big.Bytes, "long keys are always measured")
	}

	// Two reports together are as much as both.
	both := newTally()
	both.load(&s, 5)
	both.load(&s, 5)
	require.Equal(t, 2*s.Keys, both.keys)
	require.InDelta(t, 2*float64(s.Bytes), both.bytes(), 2)
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	var c counts
	for _, d := range []time.Duration{nest.Forever, 0, time.Minute, time.Minute + 1, 400 * day, math.MaxInt64} {
		c.add(d)
	}
	h := c.histogram()
	var labels []string
	for _, b := range h {
		labels = append(labels, b.label())
	}
	require.Equal(t, []string{"no expiry", "≤ 1m", "≤ 10m", "≤ 1h", "≤ 6h", "≤ 24h", "≤ 7d", "≤ 30d", "≤ 365d", "> 365d"}, labels)
	require.Equal(t, counts{1, 2, 1, 0, 0, 0, 0, 0, 0, 2}, c)
	var again counts
	again.load(h)
	require.Equal(t, c, again)
}

func TestNumbersForPeople(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 20: "1.0 MiB", 1<<20 - 1: "1.0 MiB", math.MaxInt64: "8.0 EiB", -2048: "-2.0 KiB"} {
		require.Equal(t, want, size(n))
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		require.Equal(t, want, number(n))
	}
	for d, want := range map[time.Duration]string{
		nest.Forever: "none", 90 * time.Second: "1m30s", time.Hour: "1h", 7 * day: "7d", 36 * time.Hour: "36h", 1234567 * time.Nanosecond: "1.234567ms",
	} {
		require.Equal(t, want, duration(d))
	}
	require.Equal(t, "1 key", amount(1, "key"))
	require.Equal(t, "██▌", bar(5, 20, 10))
	require.Equal(t, "▏", bar(1, 1_000_000, 10))
	require.Empty(t, bar(0, 10, 10))
}

// The boxes fill the rectangle, and none lies over another one.
func TestSquarify(t *testing.T) {
	t.Parallel()
	var boxes []box
	for _, w := range []int64{600, 300, 0, 200, 100, 50, 25, 25, 1} {
		boxes = append(boxes, box{weight: w})
	}
	boxes = squarify(boxes, 10, 20, 400, 300)
	require.Len(t, boxes, 8)
	for i, a := range boxes {
		require.InDelta(t, float64(a.weight)/1301*400*300, a.W*a.H, 0.01)
		require.GreaterOrEqual(t, a.X, 10-0.01)
		require.LessOrEqual(t, a.Y+a.H, 320+0.01)
		for _, b := range boxes[:i] {
			apart := a.X+a.W <= b.X+0.01 || b.X+b.W <= a.X+0.01 || a.Y+a.H <= b.Y+0.01 || b.Y+b.H <= a.Y+0.01
			require.True(t, apart, "%v %v", a, b)
		}
	}
	require.Empty(t, squarify(nil, 0, 0, 1, 1))
}

// hostile is a report in which every text tries to be more than text.
func hostile() *Report {
	const evil = "</style></title><script>alert(1)</script>\" onload=\"x\x1b[2J\\||`*\n"
	stats := Stats{
		Keys: 3, Bytes: 300, Sampled: 2, Types: map[string]int64{evil: 3}, Encodings: map[string]int64{evil: 3},
		Largest: []Sized{{evil, 200, 1}}, TTLs: (&counts{3}).histogram(),
	}
	return &Report{
		Scope: evil, Template: evil, Complete: true, Sample: 2, Unmeasured: evil, Total: stats,
		Clusters:   []Cluster{{Name: evil, Template: evil, In: -1, Doc: evil, Source: evil, Stats: stats}, {Name: evil + ":x", Template: evil + ":x", Stats: stats}},
		Keys:       []Key{{Name: evil + ":k", Template: evil + ":k", In: 0, Kind: "value", GoType: evil, Doc: evil, Source: evil, Stats: stats}},
		Undeclared: []Group{{Shape: evil, Examples: []string{evil}, Stats: stats}},
		Companions: stats,
		Findings:   []Finding{{Kind: nest.WrongType, Template: evil, Keys: 3, Text: evil, Examples: []string{evil, evil}, Source: evil}},
	}
}

func TestNothingBreaksOut(t *testing.T) {
	t.Parallel()
	r := hostile()
	var b strings.Builder
	require.NoError(t, r.HTML(&b))
	page := b.String()
	require.NotContains(t, page, "<script")
	require.NotContains(t, page, `" onload="`)
	require.Equal(t, 1, strings.Count(page, "</style>"))
	require.Equal(t, 1, strings.Count(page, "</title>\n"))
	for _, external := range []string{"http://", "https://", "url(", "@import", "src=", "href="} {
		require.NotContains(t, page, external)
	}
	require.NotContains(t, page, " style=", "the policy refuses it")

	// The policy knows the very style that the page has.
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	_, content, _ := strings.Cut(page, `http-equiv="Content-Security-Policy" content="`)
	content, _, _ = strings.Cut(content, `"`)
	content = strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(content)
	require.Equal(t, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; base-uri 'none'; form-action 'none'", content)

	for _, text := range []string{r.String(), r.Markdown(), Diff(nil, r).String(), Diff(r, nil).Markdown(), r.Err().Error()} {
		require.NotContains(t, text, "\x1b")
	}
	cells := 0
	for line := range strings.Lines(r.Markdown()) {
		if !strings.HasPrefix(line, "|") {
			cells = 0
			continue
		}
		if cells == 0 {
			cells = dividers(line)
		}
		require.Equal(t, cells, dividers(line), line)
	}
}

// dividers counts what divides a line of a table into cells.
func dividers(line string) (n int) {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '|':
			n++
		}
	}
	return n
}

func TestReportsOfNothing(t *testing.T) {
	t.Parallel()
	r := &Report{Complete: true, Total: Stats{TTLs: (&counts{}).histogram()}}
	require.NoError(t, r.Err())
	require.Contains(t, r.String(), "0 keys, 0 declarations, 0 B, nothing found")
	require.NotEmpty(t, r.Markdown())
	var b strings.Builder
	require.NoError(t, r.HTML(&b))
	require.Contains(t, b.String(), "Nothing differs from the declarations.")
	require.ErrorIs(t, r.HTML(failing{}), errFull)
	d := Diff(nil, nil)
	require.Empty(t, d.Keys)
	require.NoError(t, d.Err())
	r.Complete = false
	require.ErrorIs(t, r.Err(nest.LongTTL), ErrUnchecked)
	require.ErrorIs(t, Diff(nil, r).Err(), ErrUnchecked)
	require.Contains(t, r.String(), "NOT COMPLETE")
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

// What is read back from JSON is the same, but for what only the program knows.
func TestJSON(t *testing.T) {
	t.Parallel()
	r := hostile()
	r.Latency = &Latency{Ceiling: time.Millisecond, Baseline: 1, Loaded: 2, Windows: 3, Rate: 4.5}
	data, err := json.Marshal(r)
	require.NoError(t, err)
	var again Report
	require.NoError(t, json.Unmarshal(data, &again))
	r.Clusters[0].Source, r.Keys[0].Source, r.Findings[0].Source = "", "", ""
	require.Equal(t, r, &again)
	require.Equal(t, time.Duration(1), r.Latency.Added())
	data, err = json.Marshal(Diff(nil, r))
	require.NoError(t, err)
	var d Difference
	require.NoError(t, json.Unmarshal(data, &d))
	require.Equal(t, Diff(nil, r), &d)
}

// What one of two audits has not looked for reads neither as gone nor as new.
func TestDiffKnowsWhatWasNotLookedFor(t *testing.T) {
	t.Parallel()
	full := func(n int64) *Report {
		return &Report{
			Complete: true, Values: 100,
			Keys: []Key{{Name: "k", Template: "k", Stats: Stats{Keys: 3, Bytes: 300, Sampled: 3}}},
			Findings: []Finding{
				{Kind: nest.Unsealed, Template: "k", Keys: n}, {Kind: nest.MissingTTL, Template: "k", Keys: n}, {Kind: Undeclared, Template: "x", Keys: n},
			},
		}
	}
	inFull := Diff(full(1), full(2))
	require.Empty(t, inFull.Unchecked)
	require.Len(t, inFull.Findings, 3)
	require.NotErrorIs(t, inFull.Err(nest.Unsealed), ErrUnchecked)
	require.Error(t, inFull.Err(nest.Unsealed))
	require.Empty(t, Diff(nil, full(1)).Unchecked)
	require.ErrorIs(t, inFull.Err("nosuch"), nest.ErrArgument)

	unread := full(0) // without values, and so without findings in them
	unread.Values, unread.Findings = 0, unread.Findings[1:2]
	other := full(0)
	other.Values = 50
	for _, pair := range [][2]*Report{{full(2), unread}, {unread, full(2)}, {unread, unread}, {full(2), other}, {nil, unread}} {
		d := Diff(pair[0], pair[1])
		require.ElementsMatch(t, inValues, d.Unchecked)
		for _, f := range d.Findings {
			require.NotEqual(t, nest.Unsealed, f.Kind)
		}
		for _, kind := range inValues {
			require.ErrorIs(t, d.Err(kind), ErrUnchecked)
			require.ErrorIs(t, d.Err(nest.MissingTTL, kind), ErrUnchecked)
		}
		require.NotErrorIs(t, d.Err(), ErrUnchecked, "without kinds they are left out")
		require.NotErrorIs(t, d.Err(nest.MissingTTL), ErrUnchecked)
		require.Contains(t, d.String()+d.Markdown(), "has not looked for it, or not in as much: unsealed, undecodable, retired version.")
	}

	filtered := full(2)
	filtered.Uncounted, filtered.Findings = 7, filtered.Findings[:2]
	d := Diff(full(2), filtered)
	require.Equal(t, []nest.ProblemKind{Undeclared}, d.Unchecked)
	require.Empty(t, d.Findings)
	require.ErrorIs(t, d.Err(Undeclared), ErrUnchecked)

	unmeasured := full(2)
	unmeasured.Keys[0].Bytes, unmeasured.Keys[0].Sampled = 0, 0
	d = Diff(full(2), unmeasured)
	require.Empty(t, d.Keys, "nothing is known of the bytes")
	unmeasured.Keys[0].Keys++
	d = Diff(full(2), unmeasured)
	require.Equal(t, []Change{{Template: "k", KeysBefore: 3, KeysAfter: 4, Unmeasured: true}}, d.Keys)
	require.Contains(t, d.String(), "–")
	require.NotContains(t, d.String(), "300 B")
}

// Clusters can be called what the page calls what is in none.
func TestMapOfClustersWithAnyName(t *testing.T) {
	t.Parallel()
	stats := func(bytes int64) Stats {
		return Stats{Keys: 1, Bytes: bytes, Sampled: 1, TTLs: (&counts{}).histogram()}
	}
	r := &Report{
		Scope: "s", Template: "s", Complete: true, Total: stats(1000), Companions: stats(300),
		Clusters:   []Cluster{{Name: "s", Template: "s", In: -1, Stats: stats(300)}},
		Undeclared: []Group{{Shape: "s:x", Stats: stats(400)}},
	}
	for i, name := range []string{"undeclared", "companions", titleUndeclared} {
		r.Clusters = append(r.Clusters, Cluster{Name: "s:" + name, Template: "s:" + name, Stats: stats(100)})
		r.Keys = append(r.Keys, Key{Name: "s:" + name + ":own", Template: "s:" + name + ":own", In: i + 1, Stats: stats(100)})
	}
	m := r.treeMap()
	require.Len(t, m.Legends, 5)
	require.Len(t, m.Boxes, 5)
	areas := map[string]float64{}
	for _, b := range m.Boxes {
		areas[b.Name] += (b.W + 2) * (b.H + 2) / (m.W * m.H)
	}
	require.InDeltaMapValues(t, map[string]float64{
		"s:x": 0.4, titleCompanions: 0.3, "s:undeclared:own": 0.1, "s:companions:own": 0.1, "s:" + titleUndeclared + ":own": 0.1,
	}, areas, 1e-6)
	plain := 0
	for _, l := range m.Legends {
		if l.Plain {
			plain++
			require.Zero(t, l.Tone)
		}
	}
	require.Equal(t, 2, plain)
	var b strings.Builder
	require.NoError(t, r.HTML(&b))
	require.Contains(t, b.String(), "<code>companions</code>")
	require.Contains(t, b.String(), "<span>companions <span")

	// Nor does a shape of names say anything of a declaration that reads the same.
	r.Findings = []Finding{{Kind: Undeclared, Template: "s:companions:own", Keys: 7}}
	for _, l := range r.lines() {
		require.Empty(t, l.marks)
	}
}
