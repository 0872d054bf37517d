//nest:ignore what wrong calls say is tested here

package nest

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type (
	personID int64
	orgID    int64
	slug     string
	title    string
	yes      bool
)

// Two identifiers in the wrong order made the name of another key, without an error.
func TestAnotherNamedTypeIsRefused(t *testing.T) {
	org, person := Param[orgID]("org"), Param[personID]("person")
	member := Key[int]("org:<org>:person:<person>", Params(org, person))
	words := Key[int]("words:<word>:<plain>", Params(Param[slug]("word"), Param[string]("plain")))
	sizes := Key[int]("sizes:<size>:<on>", Params(Param[uint8]("size"), Param[yes]("on")))
	free := Key[int]("free:<any>")
	s := open(t, Cluster("", Sub(member, words, sizes, free)))
	for _, c := range []struct {
		ref  KeyRef[int]
		want string
	}{
		{member.At(s, orgID(9), personID(7)), "org:9:person:7"},
		{member.At(s, 9, int64(7)), "org:9:person:7"},
		{member.At(s, uint8(9), uint(7)), "org:9:person:7"},
		{member.At(s, person.Of(7), org.Of(9)), "org:9:person:7"},
		{member.At(s, Param[int]("org").Of(9), personID(7)), "org:9:person:7"},
		{words.At(s, slug("a"), "b"), "words:a:b"},
		{words.At(s, "a", "b"), "words:a:b"},
		{sizes.At(s, 1, yes(true)), "sizes:1:true"},
		{sizes.At(s, 1, true), "sizes:1:true"},
		{free.At(s, orgID(9)), "free:9"},
		{free.At(s, Param[slug]("any").Of("x")), "free:x"},
	} {
		require.NoError(t, c.ref.Err())
		require.Equal(t, c.want, c.ref.Key())
	}
	for what, ref := range map[string]KeyRef[int]{
		"swapped":         member.At(s, personID(7), orgID(9)),                     //nest:ignore it is refused
		"by name":         member.At(s, Param[personID]("org").Of(7), personID(7)), //nest:ignore it is refused
		"a string":        words.At(s, title("a"), "b"),                            //nest:ignore it is refused
		"a plain string":  words.At(s, slug("a"), slug("b")),                       //nest:ignore it is refused
		"a plain integer": sizes.At(s, orgID(9), true),                             //nest:ignore it is refused
	} {
		require.ErrorIs(t, ref.Err(), ErrParamType, what)
		require.ErrorContains(t, ref.Err(), "which is another named type", what)
		require.Empty(t, ref.Key(), what)
	}
	//nest:ignore it is refused
	require.EqualError(t, member.At(s, personID(7), orgID(9)).Err(), `nest: at "org:<org>:person:<person>": wrong parameter type: `+
		`parameter <org> (argument 1 of 2) takes a nest.orgID or another value of integer kind, not a nest.personID, which is another named type`)
}

// The methods of a nil or zero parameter panicked, for example those of a variable that is
// initialised later.
func TestNilParam(t *testing.T) {
	for what, p := range map[string]*ParamDef[int]{"nil": nil, "zero": {}} {
		require.Empty(t, p.Name(), what)
		require.Empty(t, p.Of(1), what)
		_, err := p.From(Match{})
		require.ErrorIs(t, err, ErrMissingParam, what)
		require.Contains(t, panicOf(func() { Key[int]("k:<n>", Params(p)) }), "a nil or zero parameter", what)
	}
}

type (
	// day has no text form, stamp has that of the embedded time, and date has its own.
	day   time.Time
	stamp struct{ time.Time }
	date  time.Time
	// loud reads other values than it writes, and mute reads none.
	loud string
	mute [4]byte
)

func (d date) MarshalText() ([]byte, error) { return []byte(time.Time(d).Format(time.DateOnly)), nil }

func (d *date) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.DateOnly, string(text))
	*d = date(t)
	return err
}

func (l loud) MarshalText() ([]byte, error)     { return []byte(string(l) + "!"), nil }
func (l *loud) UnmarshalText(text []byte) error { *l = loud(text); return nil }

func (m mute) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, m[:]), nil }
func (m *mute) UnmarshalText([]byte) error  { return errors.New("not me") }

// A time made a separate key for each nanosecond and each zone.
func TestTimesHaveALayout(t *testing.T) {
	daily, hour := Param[time.Time]("day", Layout(time.DateOnly)), Param[day]("hour", Layout("2006-01-02T15"))
	written := Param[date]("date")
	visits := Key[int]("visits:<day>", Params(daily))
	hours := Key[int]("hours:<hour>", Params(hour))
	dates := Key[int]("dates:<date>", Params(written))
	s := open(t, Cluster("", Sub(visits, hours, dates)))
	west := time.FixedZone("", -3*3600)
	at := time.Date(2026, 11, 29, 22, 40, 22, 16990883, west) // the 30th in UTC
	for key, ref := range map[string]KeyRef[int]{
		"visits:2026-11-30":   visits.At(s, at),
		"hours:2026-11-30T01": hours.At(s, hour.Of(day(at))),
		"dates:2026-11-29":    dates.At(s, written.Of(date(at))),
	} {
		require.NoError(t, ref.Err())
		require.Equal(t, key, ref.Key())
	}
	require.Equal(t, visits.At(s, at), visits.At(s, daily.Of(at.UTC().Add(time.Minute))))
	m, err := s.Match("visits:2026-11-30")
	require.NoError(t, err)
	got, err := daily.From(m)
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), got)
	m, err = s.Match("hours:2026-11-30T01")
	require.NoError(t, err)
	gotHour, err := hour.From(m)
	require.NoError(t, err)
	require.Equal(t, day(time.Date(2026, 11, 30, 1, 0, 0, 0, time.UTC)), gotHour)
	for _, name := range []string{"visits:2026-11-31", "visits:2026-1-1", "visits:20261130", "visits:2026-11-30T01", "hours:2026-11-30T24"} {
		_, err := s.Match(name)
		require.ErrorIs(t, err, ErrNoMatch, name)
	}

	require.ErrorIs(t, visits.At(s, at.AddDate(10000, 0, 0)).Err(), ErrParamValue)
	require.ErrorContains(t, visits.At(s, at.AddDate(10000, 0, 0)).Err(), "its year outside of 0 to 9999")
	require.ErrorIs(t, visits.At(s, "2026-11-30").Err(), ErrParamType)                                                                            //nest:ignore it is refused
	require.ErrorIs(t, hours.At(s, at).Err(), ErrParamType)                                                                                       //nest:ignore it is refused
	require.ErrorIs(t, hours.At(s, day(at)).Err(), ErrParamType, "only by name")                                                                  //nest:ignore it is refused
	require.ErrorIs(t, visits.At(s, Param[time.Time]("day", Layout("2006-02-01")).Of(at)).Err(), ErrParamType)                                    //nest:ignore it is refused
	require.ErrorContains(t, visits.At(s, Param[time.Time]("day", Layout("20060102")).Of(at)).Err(), "takes a time in the layout \"2006-01-02\"") //nest:ignore it is refused

	for what, declare := range map[string]func(){
		"needs a Layout":       func() { Param[time.Time]("t") },
		"day needs a Layout":   func() { Param[day]("t") },
		"stamp needs a Layout": func() { Param[stamp]("t") },
		"is given twice":       func() { Param[time.Time]("t", Layout("2006"), Layout("2006")) },
		"leaves out":           func() { Param[time.Time]("t", Layout("Monday")) },
		"is for times":         func() { Param[string]("t", Layout("2006")) },
		"stamp is none":        func() { Param[stamp]("t", Layout("2006")) },
		"as the value of":      func() { Param[loud]("t") },
		"does not read what":   func() { Param[mute]("t") },
	} {
		require.Contains(t, panicOf(declare), what)
	}
}
