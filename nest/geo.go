package nest

import (
	"context"
	"iter"
	"math"
	"reflect"
	"strconv"

	"github.com/redis/rueidis"
)

// Point is a place on the earth, in degrees (WGS 84): longitude from -180 to 180, latitude from
// -85.05112878 to 85.05112878.
type Point struct {
	Longitude, Latitude float64
}

// maxLatitude is the latitude at which the map that Redis uses ends.
const maxLatitude = 85.05112878

func (p Point) check() error {
	// Written so that NaN fails too.
	if !(math.Abs(p.Longitude) <= 180 && math.Abs(p.Latitude) <= maxLatitude) {
		return because(ErrArgument, "a longitude lies between -180 and 180, a latitude between -85.05112878 and 85.05112878")
	}
	return nil
}

func degrees(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// Place is a member of a geo key and its position.
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

// GeoDef declares a key that holds Ts and their positions.
type GeoDef[T any] struct {
	Declaration
}

// Geo declares a key that holds unique members of type T and their positions. Redis stores it as a
// sorted set whose scores are 52-bit geohashes, exact to 0.6 m. A geo key without members does not
// exist. Its [Default] is a []Place[T], which [GeoRef.All] returns when the key does not exist.
//
// The template is that of [Key]. Geo panics in the cases in which Key does.
func Geo[T any](template string, opts ...KeyOption) *GeoDef[T] {
	d := &GeoDef[T]{}
	where := caller()
	constructor := d.declareFor(reflect.TypeFor[T](), d, KindGeo, "Geo", template, where, opts)
	fallback := sliceDefault[Place[T]](&d.Declaration, constructor)
	d.bind = func(m *mounted) (any, error) { return bindGeo(m, fallback, d.config.hasDefault) }
	d.bindsAlike(reflect.TypeFor[geo[T]]())
	return d
}

// At returns a reference to the geo key below s. See [KeyDef.At] for args.
func (d *GeoDef[T]) At(s Scope, args ...any) GeoRef[T] {
	if d == nil {
		return GeoRef[T]{nilRef(s)}
	}
	return GeoRef[T]{d.ref(&s, args)}
}

// GeoRef is one geo key, with all its parameters filled in.
//
// Add and AddMany start the declared TTL when they create the key and leave a running one alone.
// StoreSearch and StoreSearchFrom replace all members and restart the TTL. With AutoRenew every
// operation restarts it. A point outside the map is [ErrArgument].
type GeoRef[T any] struct {
	Ref
}

// geo is what Open prepares for a key that holds Ts and their positions.
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

// Add puts a member at a point, or moves it there, and reports whether it is new (GEOADD). The
// options [IfNew], [IfPresent] and [CountChanged] need Redis 6.2; the others are [ErrArgument].
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

// AddMany puts members at points, or moves them there, and returns the number of new members
// (GEOADD). It takes the options of [GeoRef.Add]. Without members nothing is sent.
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
	o, err := addOptionsOf(opts)
	if err != nil {
		return nil, nil, err
	}
	if o.greater || o.less {
		return nil, nil, because(ErrArgument, "a point is neither greater nor less than another")
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
	return o.words(), texts, nil
}

// Remove removes members and returns the number of those that existed (ZREM). Without members
// nothing is sent.
func (r GeoRef[T]) Remove(ctx context.Context, members ...T) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return removeSorted(r.at, members) })
}

// Position returns the position of a member and whether the member exists (GEOPOS).
func (r GeoRef[T]) Position(ctx context.Context, member T) (Point, bool, error) {
	return both(call(ctx, r.at, func() command[found[Point]] { return askPlaces(r, &opPosition, "GEOPOS", member) }))
}

// Positions returns the position of each member, if it exists (GEOPOS). Without members nothing is
// sent.
func (r GeoRef[T]) Positions(ctx context.Context, members ...T) ([]Optional[Point], error) {
	return call(ctx, r.at, func() command[[]Optional[Point]] { return askPlaces(r, &opPositions, "GEOPOS", members...) })
}

// Hash returns the standard geohash of a member, 11 characters, and whether the member exists
// (GEOHASH).
func (r GeoRef[T]) Hash(ctx context.Context, member T) (string, bool, error) {
	return both(call(ctx, r.at, func() command[found[string]] { return askPlaces(r, &opGeoHash, "GEOHASH", member) }))
}

// Hashes returns the standard geohash of each member, if it exists (GEOHASH). Without members
// nothing is sent.
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

// Distance returns the distance between two members, and false when one of them does not exist
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

// Len returns the number of members, 0 when the key does not exist (ZCARD).
func (r GeoRef[T]) Len(ctx context.Context) (int64, error) { return call(ctx, r.at, r.length) }

func (r GeoRef[T]) all() command[[]Place[T]] {
	return command[[]Place[T]]{op: &r.geo().all, cmd: r.at.read("ZRANGE", "0", "-1", "WITHSCORES"), cacheable: true, fixed: true}
}

// All returns all members and their positions, else the declared default (ZRANGE 0 -1 WITHSCORES).
// Members near each other mostly come together. [GeoRef.Iterate] does not hold them all in memory.
func (r GeoRef[T]) All(ctx context.Context) ([]Place[T], error) { return call(ctx, r.at, r.all) }

// Iterate streams the members and their positions in pages of about [ScanCount] (ZSCAN), as
// [SortedSetRef.Iterate] does.
func (r GeoRef[T]) Iterate(ctx context.Context, opts ...ScanCountOption) iter.Seq2[Place[T], error] {
	return func(yield func(Place[T], error) bool) {
		for s, err := range SortedSetRef[T](r).Iterate(ctx, opts...) {
			if !yield(Place[T]{s.Member, pointOf(s.Score)}, err) || err != nil {
				return
			}
		}
	}
}

// Rename renames the geo key, with its remaining TTL, to another key, as [KeyRef.Rename] does
// (RENAMENX or RENAME).
func (r GeoRef[T]) Rename(ctx context.Context, to GeoRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy copies the geo key, with its remaining TTL, to another key, as [KeyRef.Copy] does (COPY,
// Redis 6.2).
func (r GeoRef[T]) Copy(ctx context.Context, to GeoRef[T], opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}

// pointOf returns the middle of the cell that a score denotes: 26 bits of the latitude in the even
// places and 26 of the longitude in the odd ones. Each bit halves the range.
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

// everyOther gathers the bits in the even places.
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

// replyPlaces reads all members with their scores. No members mean no key, for which the declared
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
