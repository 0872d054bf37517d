package nest

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

// answerTexts are the strings in made-up answers. The last one stands for a stored value and must
// not appear in errors.
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
	// The form in which the client caches an answer: 7 bytes of expiry, then type, size and
	// content.
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

// answered is the type of a record and of a stream's entry.
type answered struct {
	Name string
	Age  int `nest:"age,was=sesame"`
}

// FuzzAnswers passes answers that no server should send to every reader. A reader must not panic,
// and its error must not quote the answer.
func FuzzAnswers(f *testing.F) {
	counts, floats, numbers, set1, ranking, bits, visitors, places := Counter[int8]("a"), Counter[float64]("b"),
		List[int]("c"), Set[int]("d"), SortedSet[int]("e"), Bitmap("f"), HyperLogLog[int]("g"), Geo[int]("h")
	value, fields, person, log, perField := Key[int]("i"), Hash[int]("j"), Record[answered]("k"), Stream[int]("l"),
		Stream[answered]("m", EntryPerField())
	s, err := Open(nil, Cluster("r", Sub(counts, floats, numbers, set1, ranking, bits, visitors, places,
		value, fields, person, log, perField)), NamesOnly())
	require.NoError(f, err)
	c, x := counts.At(s), floats.At(s)
	l, e, z, g := numbers.At(s), set1.At(s), ranking.At(s), places.At(s)
	b, v := bits.At(s), visitors.At(s)
	k, h, p, l2, e2 := value.At(s), fields.At(s), person.At(s), log.At(s), perField.At(s)
	readers := []reader{
		reading(c.at.m, c.counter().get), reading(c.at.m, c.counter().incr), reading(c.at.m, c.counter().lookup),
		reading(x.at.m, x.counter().get), reading(x.at.m, x.counter().add),
		reading(l.at.m, l.list().all), reading(l.at.m, l.list().span), reading(l.at.m, l.list().index),
		reading(l.at.m, l.list().waitPopLeft), reading(l.at.m, l.list().waitPopLeftN),
		reading(l.at.m, opInsertBefore), reading(l.at.m, opIndexOf), reading(l.at.m, opIndexesOf), reading(l.at.m, opLen),
		reading(e.at.m, e.bound().members), reading(e.at.m, e.bound().pop), reading(e.at.m, opHasMany), reading(e.at.m, opIterate),
		reading(z.at.m, z.zset().all), reading(z.at.m, z.zset().rangeScored), reading(z.at.m, z.zset().popMin),
		reading(z.at.m, z.zset().waitPopMin), reading(z.at.m, z.zset().waitPopMinN), reading(z.at.m, z.zset().random),
		reading(z.at.m, opZIncr), reading(z.at.m, opZScore), reading(z.at.m, opZScores), reading(z.at.m, opRankScore),
		reading(g.at.m, g.geo().all), reading(g.at.m, g.geo().search), reading(g.at.m, opPosition), reading(g.at.m, opPositions),
		reading(g.at.m, opGeoHash), reading(g.at.m, opGeoHashes),
		reading(b.at.m, opBytes), reading(b.at.m, opFirst), reading(b.at.m, opBitFields), reading(b.at.m, opBitField), reading(b.at.m, opIncrBitField),
		reading(v.at.m, v.bound().count),
		reading(k.at.m, k.value().get), reading(k.at.m, k.value().lookup), reading(k.at.m, k.value().storedType),
		reading(k.at.m, opExists), reading(k.at.m, opTTL), reading(k.at.m, opExpireTime), reading(k.at.m, opType), reading(k.at.m, opMemory),
		reading(k.at.m, opDump), reading(k.at.m, opSet), reading(k.at.m, opSetIfAbsent), reading(k.at.m, opRename), reading(k.at.m, opMoved),
		reading(k.at.m, opUpdate), reading(k.at.m, opReplace), reading(k.at.m, opStrLenValue), reading(k.at.m, opStored),
		reading(k.at.m, opAcquire), reading(k.at.m, opHolder), reading(k.at.m, opSubscribers), reading(k.at.m, opMoveFields),
		func(a rueidis.RedisMessage) error { _, err := answeredInt(a, nil); return err },
		func(a rueidis.RedisMessage) error { _, err := scanned(a, nil); return err },
		func(a rueidis.RedisMessage) error { _, err := hashText(a); return err },
		reading(h.at.m, h.hash().get), reading(h.at.m, h.hash().many), reading(h.at.m, h.hash().take), reading(h.at.m, h.hash().values),
		reading(h.at.m, opIterate), reading(h.at.m, h.hash().incr), reading(h.at.m, opFields), reading(h.at.m, opFieldTTL),
		reading(h.at.m, opFieldEnd), reading(h.at.m, opExpireFields),
		reading(p.at.m, p.record().get), reading(p.at.m, p.record().getFields), reading(p.at.m, opIncrField), reading(p.at.m, opIncrFieldFloat),
		reading(l2.at.m, opStreamAdd), reading(l2.at.m, opStreamInfo), reading(l2.at.m, opGroups), reading(l2.at.m, opConsumers),
		reading(l2.at.m, opPendingSummary), reading(l2.at.m, opPending), reading(l2.at.m, opConsumeRead), reading(l2.at.m, opConsumeClaim),
	}
	// An error about a field or an entry contains its name or ID.
	namers := []reader{
		reading(h.at.m, h.hash().all), reading(h.at.m, h.hash().random), reading(h.at.m, h.hash().loaded),
		reading(l2.at.m, l2.stream().entries), reading(l2.at.m, l2.stream().read), reading(l2.at.m, l2.stream().autoClaim), reading(l2.at.m, l2.stream().lookup),
		reading(e2.at.m, e2.stream().entries), reading(e2.at.m, e2.stream().read),
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
		for _, read := range namers {
			_ = read(answer)
		}
		if text, err := answer.ToString(); err == nil && strings.Contains(typeNoun(text), "sesame") {
			t.Errorf("the type repeats what is stored")
		}
	})
}

// FuzzCounterText checks that a counter reads what it writes, and that it would write what it reads
// in a form that reads the same.
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

// A score of 52 bits names the cell in which the documentation of GEOADD places Palermo.
func TestPointOfScore(t *testing.T) {
	p := pointOf(3479099956230698)
	require.InDelta(t, 13.361389338970184, p.Longitude, 1e-12)
	require.InDelta(t, 38.1155563954963, p.Latitude, 1e-12)
	for _, bad := range []float64{-1, 1 << 52, 1e300} {
		require.Zero(t, pointOf(bad))
	}
}
