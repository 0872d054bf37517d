package nest

import (
	"context"
	"iter"
	"math"
	"reflect"
	"strconv"

	"github.com/redis/rueidis"
)

// KindGeo is what [Geo] declares.
const KindGeo Kind = "geo"

// Point is a place on the earth, in degrees (WGS 84): longitude from -180 to 180, latitude from
// -85.05112878 to 85.05112878.
type Point struct {
	Longitude, Latitude float64
}

// maxLatitude is where the map that Redis uses ends.
const maxLatitude = 85.05112878

func (p Point) check() error {
	// Written so that NaN fails too.
	if !(math.Abs(p.Longitude) <= 180 && math.Abs(p.Latitude) <= maxLatitude) {
		return because(ErrArgument, "a longitude lies between -180 and 180, a latitude between -85.05112878 and 85.05112878")
	}
	return nil
}

func degrees(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// Place is a member of a geo key and where it is.
type Place[T any] struct {
	Member T
	Point  Point
}

// LengthUnit is a unit of distances.
type LengthUnit string

// The units of distances.
const (
	Meters     LengthUnit = "m"
	Kilometers LengthUnit = "km"
	Miles      LengthUnit = "mi"
	Feet       LengthUnit = "ft"
)

func (u LengthUnit) check() error {
	switch u {
	case Meters, Kilometers, Miles, Feet:
		return nil
	}
	return because(ErrArgument, "a unit is Meters, Kilometers, Miles or Feet")
}

// GeoDef declares a key that holds Ts and where they are.
type GeoDef[T any] struct {
	Declaration
}

// Geo declares a key that holds members of type T, each once, and where they are, as a sorted
// set whose scores are geohashes of 52 bits: exact to 0.6 m. A geo key without members does not
// exist. Its [Default] is a []Place[T], which [GeoRef.All] gives when there is no key.
//
// The template is that of [Key], and so is when Geo panics.
func Geo[T any](template string, opts ...KeyOption) *GeoDef[T] {
	d := &GeoDef[T]{}
	where := caller()
	d.goType = reflect.TypeFor[T]().String()
	d.declare(d, KindGeo, "Geo["+d.goType+"]", template, where, applyKeyOptions(opts))
	fallback := sliceDefault[Place[T]](&d.Declaration, "Geo["+d.goType+"]")
	d.bind = func(m *mounted) (any, error) { return bindGeo(m, fallback, d.config.hasDefault) }
	return d
}

// At gives the reference of the geo key below s, as [KeyDef.At] does.
func (d *GeoDef[T]) At(s Scope, args ...any) GeoRef[T] {
	if d == nil {
		return GeoRef[T]{nilRef(s)}
	}
	return GeoRef[T]{d.ref(&s, args)}
}

// GeoRef is one geo key, with all its parameters filled in.
//
// Add and AddMany start the declared TTL when they create the key and let a running one go on;
// StoreSearch and StoreSearchFrom, which replace all members, start it anew. With AutoRenew every
// operation restarts it. A point outside of the map is [ErrArgument].
type GeoRef[T any] struct {
	Ref
}

// geo is what Open prepares for a key that holds Ts and where they are.
type geo[T any] struct {
	elements[T]
	points []Point // of the default

	all                operation[[]Place[T]]
	loaded             operation[found[[]Place[T]]]
	search, searchFrom operation[[]Near[T]]
}

func bindGeo[T any](m *mounted, fallback []Place[T], hasDefault bool) (any, error) {
	members := make([]T, len(fallback))
	g := &geo[T]{
		points:     make([]Point, len(fallback)),
		all:        operation[[]Place[T]]{"all", replyPlaces[T]},
		loaded:     nonEmpty(replyStoredPlaces[T], sizeOf[Place[T]]),
		search:     operation[[]Near[T]]{"search", replyNear[T]},
		searchFrom: operation[[]Near[T]]{"search from", replyNear[T]},
	}
	for i, f := range fallback {
		members[i], g.points[i] = f.Member, f.Point
	}
	var err error
	g.elements, err = bindElements(m, members, hasDefault)
	return g, err
}

var (
	opPosition  = operation[found[Point]]{"position", replyPosition}
	opPositions = operation[[]Optional[Point]]{"positions", replyPositions}
	opDistance  = operation[found[float64]]{"distance", replyFoundScore}
	opGeoHash   = operation[found[string]]{"hash", replyHash}
	opGeoHashes = operation[[]Optional[string]]{"hashes", replyHashes}
)

func (r GeoRef[T]) geo() *geo[T] { return r.at.m.bound.(*geo[T]) }

// Add puts a member at a point, or moves it there, and tells whether it is new (GEOADD). The
// options IfNew, IfPresent and CountChanged need Redis 6.2; the others are [ErrArgument].
func (r GeoRef[T]) Add(ctx context.Context, member T, at Point, opts ...AddOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.add(member, at, opts) })
}

func (r GeoRef[T]) add(member T, at Point, opts []AddOption) command[bool] {
	words, texts, err := r.addition([]Place[T]{{member, at}}, opts)
	if err != nil {
		return refuse(&opZAdd, err)
	}
	return command[bool]{op: &opZAdd, cmd: r.at.writeMany("GEOADD", joinSum, words, texts)}
}

// AddMany puts members at points, or moves them there, and gives the number of those that are
// new (GEOADD), with the options of [GeoRef.Add]. Without members nothing is sent.
func (r GeoRef[T]) AddMany(ctx context.Context, places []Place[T], opts ...AddOption) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.addMany(places, opts) })
}

func (r GeoRef[T]) addMany(places []Place[T], opts []AddOption) command[int64] {
	if len(places) == 0 {
		return skip(&opZAddMany)
	}
	words, texts, err := r.addition(places, opts)
	if err != nil {
		return refuse(&opZAddMany, err)
	}
	return command[int64]{op: &opZAddMany, cmd: r.at.writeMany("GEOADD", joinSum, words, texts)}
}

func (r GeoRef[T]) addition(places []Place[T], opts []AddOption) (words, texts []string, err error) {
	for _, o := range opts {
		if o&(IfGreater|IfLess) != 0 {
			return nil, nil, because(ErrArgument, "a point is neither greater nor less than another")
		}
	}
	if words, err = addWords(opts); err != nil {
		return nil, nil, err
	}
	texts = make([]string, 0, 3*len(places))
	for i, p := range places {
		text, err := r.geo().encode(r.at.m, p.Member)
		if err == nil {
			err = p.Point.check()
		}
		if err != nil {
			return nil, nil, locate("element "+strconv.Itoa(i), err)
		}
		texts = append(texts, degrees(p.Point.Longitude), degrees(p.Point.Latitude), text)
	}
	return words, texts, nil
}

// Remove removes members and gives the number of those that were there (ZREM). Without members
// nothing is sent.
func (r GeoRef[T]) Remove(ctx context.Context, members ...T) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return removeSorted(r.at, members) })
}

// Position tells where a member is (GEOPOS).
func (r GeoRef[T]) Position(ctx context.Context, member T) (Point, bool, error) {
	return both(call(ctx, r.at, func() command[found[Point]] { return askPlaces(r, &opPosition, "GEOPOS", member) }))
}

// Positions tells of each of members where it is (GEOPOS). Without members nothing is sent.
func (r GeoRef[T]) Positions(ctx context.Context, members ...T) ([]Optional[Point], error) {
	return call(ctx, r.at, func() command[[]Optional[Point]] { return askPlaces(r, &opPositions, "GEOPOS", members...) })
}

// Hash gives the standard geohash of a member, 11 characters (GEOHASH).
func (r GeoRef[T]) Hash(ctx context.Context, member T) (string, bool, error) {
	return both(call(ctx, r.at, func() command[found[string]] { return askPlaces(r, &opGeoHash, "GEOHASH", member) }))
}

// Hashes gives the standard geohash of each of members (GEOHASH). Without members nothing is
// sent.
func (r GeoRef[T]) Hashes(ctx context.Context, members ...T) ([]Optional[string], error) {
	return call(ctx, r.at, func() command[[]Optional[string]] { return askPlaces(r, &opGeoHashes, "GEOHASH", members...) })
}

func askPlaces[T, R any](r GeoRef[T], op *operation[R], name string, members ...T) command[R] {
	if len(members) == 0 {
		return skip(op)
	}
	var few [8]string
	texts, err := r.geo().encodeAll(r.at.m, few[:0], members)
	if err != nil {
		return refuse(op, err)
	}
	return command[R]{op: op, cmd: r.at.readMany(name, texts), cacheable: true}
}

// Distance is how far two members are from each other; false when one of them is missing
// (GEODIST).
func (r GeoRef[T]) Distance(ctx context.Context, a, b T, unit LengthUnit) (float64, bool, error) {
	return both(call(ctx, r.at, func() command[found[float64]] { return r.distance(a, b, unit) }))
}

func (r GeoRef[T]) distance(a, b T, unit LengthUnit) command[found[float64]] {
	if err := unit.check(); err != nil {
		return refuse(&opDistance, err)
	}
	var few [2]string
	texts, err := r.geo().encodeAll(r.at.m, few[:0], []T{a, b})
	if err != nil {
		return refuse(&opDistance, err)
	}
	return command[found[float64]]{op: &opDistance, cmd: r.at.read("GEODIST", texts[0], texts[1], string(unit)), cacheable: true}
}

func (r GeoRef[T]) length() command[int64] {
	return command[int64]{op: &opLen, cmd: r.at.read("ZCARD"), cacheable: true}
}

// Len is the number of members, 0 when there is no key (ZCARD).
func (r GeoRef[T]) Len(ctx context.Context) (int64, error) { return call(ctx, r.at, r.length) }

func (r GeoRef[T]) all() command[[]Place[T]] {
	return command[[]Place[T]]{op: &r.geo().all, cmd: r.at.read("ZRANGE", "0", "-1", "WITHSCORES"), cacheable: true, fixed: true}
}

// All gives all members and where they are, those that are near to each other mostly together,
// else the declared default (ZRANGE 0 -1 WITHSCORES). [GeoRef.Iterate] does not hold them all in
// memory.
func (r GeoRef[T]) All(ctx context.Context) ([]Place[T], error) { return call(ctx, r.at, r.all) }

// Iterate streams the members and where they are in pages of about [ScanCount] (ZSCAN), as
// [SortedSetRef.Iterate] does.
func (r GeoRef[T]) Iterate(ctx context.Context, opts ...ScanOption) iter.Seq2[Place[T], error] {
	return func(yield func(Place[T], error) bool) {
		for s, err := range SortedSetRef[T](r).Iterate(ctx, opts...) {
			if !yield(Place[T]{s.Member, pointOf(s.Score)}, err) || err != nil {
				return
			}
		}
	}
}

// Rename gives the geo key, with its remaining TTL, to another key, as [KeyRef.Rename] does
// (RENAMENX or RENAME).
func (r GeoRef[T]) Rename(ctx context.Context, to GeoRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy writes the geo key, with its remaining TTL, to another key too, as [KeyRef.Copy] does
// (COPY, Redis 6.2).
func (r GeoRef[T]) Copy(ctx context.Context, to GeoRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}

// pointOf is the middle of the cell that a score names: 26 bits of the latitude in the even
// places, 26 of the longitude in the odd ones, each halving its range.
func pointOf(score float64) Point {
	if !(score >= 0 && score < 1<<52) {
		return Point{}
	}
	cell := uint64(score)
	return Point{
		Longitude: middle(everyOther(cell>>1), 180),
		Latitude:  middle(everyOther(cell), maxLatitude),
	}
}

func middle(step uint64, limit float64) float64 {
	return (2*(float64(step)+0.5)/(1<<26) - 1) * limit
}

// everyOther gathers the bits of the even places.
func everyOther(bits uint64) (gathered uint64) {
	for i := range 26 {
		gathered |= bits >> i & (1 << i)
	}
	return gathered
}

// replyStoredPlaces reads all members with their scores.
func replyStoredPlaces[T any](m *mounted, a rueidis.RedisMessage) ([]Place[T], error) {
	all, err := replyScored[T](m, a)
	if err != nil {
		return nil, err
	}
	var places []Place[T]
	for _, s := range all {
		places = append(places, Place[T]{s.Member, pointOf(s.Score)})
	}
	return places, nil
}

// replyPlaces reads all members with their scores. None mean no key, for which the declared
// default stands.
func replyPlaces[T any](m *mounted, a rueidis.RedisMessage) ([]Place[T], error) {
	places, err := replyStoredPlaces[T](m, a)
	if err != nil || len(places) > 0 {
		return places, err
	}
	g := m.bound.(*geo[T])
	members, err := g.defaults(m)
	for i, v := range members {
		places = append(places, Place[T]{v, g.points[i]})
	}
	return places, err
}

// readPoint reads a longitude and a latitude.
func readPoint(m *mounted, a rueidis.RedisMessage) (Point, error) {
	parts, err := a.ToArray()
	if err != nil || len(parts) != 2 {
		return Point{}, errAnswer
	}
	longitude, err := replyScore(m, parts[0])
	if err != nil {
		return Point{}, err
	}
	latitude, err := replyScore(m, parts[1])
	return Point{longitude, latitude}, err
}

func replyPositions(m *mounted, a rueidis.RedisMessage) ([]Optional[Point], error) {
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	points := make([]Optional[Point], len(answers))
	for i, answer := range answers {
		if answer.IsNil() {
			continue
		}
		p, err := readPoint(m, answer)
		if err != nil {
			return nil, err
		}
		points[i] = Optional[Point]{p, true}
	}
	return points, nil
}

func replyPosition(m *mounted, a rueidis.RedisMessage) (found[Point], error) {
	points, err := replyPositions(m, a)
	if err != nil || len(points) != 1 {
		return found[Point]{}, errAnswer
	}
	return found[Point]{points[0].Value, points[0].Found}, nil
}

func replyHashes(_ *mounted, a rueidis.RedisMessage) ([]Optional[string], error) {
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	hashes := make([]Optional[string], len(answers))
	for i, answer := range answers {
		if answer.IsNil() {
			continue
		}
		text, err := answer.ToString()
		if err != nil {
			return nil, errAnswer
		}
		hashes[i] = Optional[string]{text, true}
	}
	return hashes, nil
}

func replyHash(m *mounted, a rueidis.RedisMessage) (found[string], error) {
	hashes, err := replyHashes(m, a)
	if err != nil || len(hashes) != 1 {
		return found[string]{}, errAnswer
	}
	return found[string]{hashes[0].Value, hashes[0].Found}, nil
}
