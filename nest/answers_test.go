package nest

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

// answerTexts are the strings in made-up answers. The last one stands for what is stored and
// must not appear in errors.
var answerTexts = []string{"", "0", "1", "-1", "2.5", "inf", "nan", "9223372036854775808", "OK", "sesame"}

// makeAnswer turns any bytes into an answer of the server: of any type, to any depth.
func makeAnswer(data []byte) rueidis.RedisMessage {
	next := func() byte {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return b
	}
	// What the client keeps in its cache: 7 bytes of expiry, then type, size and content.
	buf := append([]byte(nil), make([]byte, 7)...)
	head := func(typ byte, size uint64) {
		buf = binary.BigEndian.AppendUint64(append(buf, typ), size)
	}
	var write func(depth int)
	write = func(depth int) {
		switch b := next(); b % 8 {
		case 0:
			head('_', 0)
		case 1:
			head(':', uint64(int64(int8(next()))))
		case 2:
			head('#', uint64(b>>7))
		case 3, 4:
			text := answerTexts[int(next())%len(answerTexts)]
			head("$,+"[b>>6%3], uint64(len(text)))
			buf = append(buf, text...)
		default:
			size := next() % 6
			if depth > 4 {
				size = 0
			}
			head("*~%"[b>>6%3], uint64(size))
			for range size {
				write(depth + 1)
			}
		}
	}
	write(0)
	var m rueidis.RedisMessage
	if err := m.CacheUnmarshalView(buf); err != nil {
		panic(err)
	}
	return m
}

// reader is an operation's way to read an answer, without its result.
type reader func(a rueidis.RedisMessage) error

func reading[R any](m *mounted, op operation[R]) reader {
	return func(a rueidis.RedisMessage) error {
		_, err := op.reply(m, a)
		return err
	}
}

// FuzzAnswers hands every reader of an answer what no server should send. Whatever comes, it
// must not panic, and its error must not repeat it.
func FuzzAnswers(f *testing.F) {
	counts, floats, numbers, set1, ranking, bits, visitors, places := Counter[int8]("a"), Counter[float64]("b"),
		List[int]("c"), Set[int]("d"), SortedSet[int]("e"), Bitmap("f"), HyperLogLog[int]("g"), Geo[int]("h")
	s, err := Open(nil, Cluster("r", Sub(counts, floats, numbers, set1, ranking, bits, visitors, places)), NamesOnly())
	require.NoError(f, err)
	c, x := counts.At(s), floats.At(s)
	l, e, z, g := numbers.At(s), set1.At(s), ranking.At(s), places.At(s)
	b, v := bits.At(s), visitors.At(s)
	readers := []reader{
		reading(c.m, c.counter().get), reading(c.m, c.counter().incr), reading(c.m, c.counter().lookup),
		reading(x.m, x.counter().get), reading(x.m, x.counter().add),
		reading(l.m, l.list().all), reading(l.m, l.list().span), reading(l.m, l.list().index),
		reading(l.m, l.list().waitPopLeft), reading(l.m, l.list().waitPopLeftN),
		reading(l.m, opInsertBefore), reading(l.m, opIndexOf), reading(l.m, opIndexesOf), reading(l.m, opLen),
		reading(e.m, e.bound().members), reading(e.m, e.bound().pop), reading(e.m, opHasMany), reading(e.m, opIterate),
		reading(z.m, z.zset().all), reading(z.m, z.zset().rangeScored), reading(z.m, z.zset().popMin),
		reading(z.m, z.zset().waitPopMin), reading(z.m, z.zset().waitPopMinN), reading(z.m, z.zset().random),
		reading(z.m, opZIncr), reading(z.m, opZScore), reading(z.m, opZScores), reading(z.m, opRankScore),
		reading(g.m, g.geo().all), reading(g.m, g.geo().search), reading(g.m, opPosition), reading(g.m, opPositions),
		reading(g.m, opGeoHash), reading(g.m, opGeoHashes),
		reading(b.m, opBytes), reading(b.m, opFirst), reading(b.m, opBitFields), reading(b.m, opBitField), reading(b.m, opIncrBitField),
		reading(v.m, v.bound().count),
	}
	for _, seed := range []string{
		"", "\x01\x05", "\x02", "\x03\x02", "\x03\x09", "\x05\x00", "\x05\x02\x03\x09\x03\x04", "\x05\x02\x05\x02\x03\x01\x04\x02\x00",
		"\x05\x03\x03\x02\x03\x04\x05\x02\x03\x04\x03\x04", "\x46\x04\x03\x09\x03\x09\x03\x09\x03\x09", "\x86\x02\x03\x02\x03\x03",
		"\x05\x02\x03\x01\x05\x02\x03\x02\x03\x04", "\x05\x01\x05\x03\x03\x02\x03\x04\x05\x02\x03\x04\x03\x04",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		answer := makeAnswer(data)
		for i, read := range readers {
			if err := read(answer); err != nil && strings.Contains(err.Error(), "sesame") {
				t.Errorf("reader %d repeats what is stored: %v", i, err)
			}
		}
	})
}

// FuzzCounterText: what a counter writes it reads again, and what it reads it would write so
// that it reads the same.
func FuzzCounterText(f *testing.F) {
	for _, text := range []string{"0", "-1", "127", "128", "9223372036854775807", "1e3", "0.1", "nan", "+inf", "0x1p-2", " 1", "", "1_0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sameAgain[int8](t, text)
		sameAgain[uint64](t, text)
		sameAgain[int64](t, text)
		sameAgain[float32](t, text)
		sameAgain[float64](t, text)
	})
}

func sameAgain[N Number](t *testing.T, text string) {
	t.Helper()
	c := bindCounter[N](0)
	n, err := c.parse(text)
	if err != nil {
		require.ErrorIs(t, err, ErrDecode)
		return
	}
	again, err := c.parse(c.text(n))
	require.NoError(t, err)
	require.Equal(t, n, again)
}

// A score of 52 bits names the cell that the documentation of GEOADD puts Palermo into.
func TestPointOfScore(t *testing.T) {
	p := pointOf(3479099956230698)
	require.InDelta(t, 13.361389338970184, p.Longitude, 1e-12)
	require.InDelta(t, 38.1155563954963, p.Latitude, 1e-12)
	for _, bad := range []float64{-1, 1 << 52, 1e300} {
		require.Zero(t, pointOf(bad))
	}
}
