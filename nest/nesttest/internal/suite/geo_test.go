package suite_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

type place = nest.Place[string]

var (
	palermo = place{Member: "Palermo", Point: nest.Point{Longitude: 13.361389, Latitude: 38.115556}}
	catania = place{Member: "Catania", Point: nest.Point{Longitude: 15.087269, Latitude: 37.502669}}
	quito   = place{Member: "Quito", Point: nest.Point{Longitude: -78.467834, Latitude: -0.180653}}
)

func geoOf(t *testing.T, opts ...nest.KeyOption) nest.GeoRef[string] {
	t.Helper()
	return geosOf(t, opts...)("a")
}

func geosOf(t *testing.T, opts ...nest.KeyOption) func(name string, places ...place) nest.GeoRef[string] {
	t.Helper()
	key := nest.Geo[string]("places:<name>", opts...)
	s := alone(t, key)
	return func(name string, places ...place) nest.GeoRef[string] {
		r := key.At(s, 1, name)
		_, err := r.AddMany(t.Context(), places)
		require.NoError(t, err)
		return r
	}
}

func near(t *testing.T, want, got nest.Point) {
	t.Helper()
	require.InDelta(t, want.Longitude, got.Longitude, 1e-5)
	require.InDelta(t, want.Latitude, got.Latitude, 1e-5)
}

func TestGeo(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		r := geoOf(t, opts...)
		added, err := r.Add(ctx, palermo.Member, palermo.Point)
		require.NoError(t, err)
		require.True(t, added)
		n, err := r.AddMany(ctx, []place{palermo, catania, quito})
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		n, err = r.Len(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(3), n)

		p, ok, err := r.Position(ctx, "Quito")
		require.NoError(t, err)
		require.True(t, ok)
		near(t, quito.Point, p)
		_, ok, err = r.Position(ctx, "Atlantis")
		require.NoError(t, err)
		require.False(t, ok)
		ps, err := r.Positions(ctx, "Palermo", "Atlantis", "Catania")
		require.NoError(t, err)
		require.Len(t, ps, 3)
		near(t, palermo.Point, ps[0].Value)
		require.False(t, ps[1].Found)
		near(t, catania.Point, ps[2].Value)

		d, ok, err := r.Distance(ctx, "Palermo", "Catania", nest.Kilometers)
		require.NoError(t, err)
		require.True(t, ok)
		require.InDelta(t, 166.27, d, 0.1)
		_, ok, err = r.Distance(ctx, "Palermo", "Atlantis", nest.Feet)
		require.NoError(t, err)
		require.False(t, ok)

		all, err := r.All(ctx)
		require.NoError(t, err)
		require.Len(t, all, 3)
		seen := make(map[string]nest.Point)
		for p, err := range r.Iterate(ctx) {
			require.NoError(t, err)
			seen[p.Member] = p.Point
		}
		require.Len(t, seen, 3)
		for _, p := range all {
			server, ok, err := r.Position(ctx, p.Member)
			require.NoError(t, err)
			require.True(t, ok)
			// The server's own answer is the middle of the same cell.
			require.InDelta(t, server.Longitude, p.Point.Longitude, 3e-6)
			require.InDelta(t, server.Latitude, p.Point.Latitude, 3e-6)
			require.Equal(t, p.Point, seen[p.Member])
		}

		n, err = r.Remove(ctx, "Quito", "Atlantis")
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		n, err = r.Remove(ctx)
		require.NoError(t, err)
		require.Zero(t, n)

		if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
			return // it knows neither GEOHASH nor the options of GEOADD
		}
		hash, ok, err := r.Hash(ctx, "Palermo")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, "sqc8b49rny0", hash)
		hashes, err := r.Hashes(ctx, "Atlantis", "Catania")
		require.NoError(t, err)
		require.Equal(t, []nest.Optional[string]{{}, {Value: "sqdtr74hyu0", Found: true}}, hashes)
		added, err = r.Add(ctx, "Palermo", quito.Point, nest.IfNew())
		require.NoError(t, err)
		require.False(t, added)
		added, err = r.Add(ctx, "Palermo", quito.Point, nest.IfPresent(), nest.CountChanged())
		require.NoError(t, err)
		require.True(t, added)
	})
}

func TestGeoSearch(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		ctx := t.Context()
		at := geosOf(t, opts...)
		r := at("a", palermo, catania, quito)
		sicily := nest.Point{Longitude: 15, Latitude: 37}
		got, err := r.Search(ctx, sicily, nest.Circle(200, nest.Kilometers).Nearest())
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.Equal(t, "Catania", got[0].Member)
		require.InDelta(t, 56.44, got[0].Distance, 0.1)
		near(t, catania.Point, got[0].Point)
		require.Equal(t, "Palermo", got[1].Member)
		got, err = r.Search(ctx, sicily, nest.Circle(200, nest.Kilometers).Farthest().Limit(1))
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, "Palermo", got[0].Member)
		got, err = r.Search(ctx, sicily, nest.Circle(200, nest.Kilometers).AnyOf(1))
		require.NoError(t, err)
		require.Len(t, got, 1)
		got, err = r.Search(ctx, sicily, nest.Box(200_000, 200_000, nest.Meters))
		require.NoError(t, err)
		require.Len(t, got, 1)
		got, err = r.SearchFrom(ctx, "Palermo", nest.Circle(1, nest.Miles))
		require.NoError(t, err)
		require.Len(t, got, 1)
		got, err = r.Search(ctx, sicily, nest.Circle(1, nest.Feet))
		require.NoError(t, err)
		require.Empty(t, got)
		got, err = at("none").Search(ctx, sicily, nest.Circle(200, nest.Kilometers))
		require.NoError(t, err)
		require.Empty(t, got)

		if !nesttest.Shared(t).Has(t, "GEOSEARCHSTORE {nesttest} {nesttest} FROMLONLAT 1 1 BYRADIUS 1 m") {
			return
		}
		_, err = r.SearchFrom(ctx, "Atlantis", nest.Circle(1, nest.Miles))
		require.ErrorIs(t, err, nest.ErrNotFound)
		to := at("to", quito)
		n, err := to.StoreSearch(ctx, r, sicily, nest.Circle(200, nest.Kilometers))
		require.NoError(t, err)
		require.Equal(t, int64(2), n)
		n, err = to.StoreSearchFrom(ctx, r, "Palermo", nest.Circle(1, nest.Kilometers))
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		all, err := to.All(ctx)
		require.NoError(t, err)
		require.Len(t, all, 1)
		near(t, palermo.Point, all[0].Point)
		if len(opts) > 0 {
			ttl, err := to.TTL(ctx)
			require.NoError(t, err)
			about(t, declaredTTL, ttl)
		}
	})
}

func TestGeoArguments(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := geoOf(t, nest.TTL(declaredTTL))
	circle := nest.Circle(1, nest.Meters)
	for name, do := range map[string]func() error{
		"longitude": func() error { _, err := r.Add(ctx, "a", nest.Point{Longitude: 181}); return err },
		"latitude":  func() error { _, err := r.Add(ctx, "a", nest.Point{Latitude: -86}); return err },
		"NaN":       func() error { _, err := r.Add(ctx, "a", nest.Point{Latitude: math.NaN()}); return err },
		"greater":   func() error { _, err := r.Add(ctx, "a", nest.Point{}, nest.IfGreater()); return err },
		"exclusive": func() error { _, err := r.Add(ctx, "a", nest.Point{}, nest.IfNew(), nest.IfPresent()); return err },
		"unit":      func() error { _, _, err := r.Distance(ctx, "a", "b", "mm"); return err },
		"area":      func() error { _, err := r.Search(ctx, nest.Point{}, nest.Area{}); return err },
		"area unit": func() error { _, err := r.Search(ctx, nest.Point{}, nest.Circle(1, "mm")); return err },
		"radius":    func() error { _, err := r.SearchFrom(ctx, "a", nest.Circle(-1, nest.Meters)); return err },
		"box":       func() error { _, err := r.Search(ctx, nest.Point{}, nest.Box(1, math.NaN(), nest.Meters)); return err },
		"limit":     func() error { _, err := r.Search(ctx, nest.Point{}, circle.Limit(0)); return err },
		"around":    func() error { _, err := r.Search(ctx, nest.Point{Longitude: 200}, circle); return err },
		"store":     func() error { _, err := r.StoreSearch(ctx, r, nest.Point{Longitude: 200}, circle); return err },
	} {
		require.ErrorIs(t, do(), nest.ErrArgument, name)
	}
	n, err := r.AddMany(ctx, nil)
	require.NoError(t, err)
	require.Zero(t, n)
	ps, err := r.Positions(ctx)
	require.NoError(t, err)
	require.Empty(t, ps)
	there, err := r.Exists(ctx)
	require.NoError(t, err)
	require.False(t, there)
}

func TestGeoDefault(t *testing.T) {
	t.Parallel()
	r := geoOf(t, nest.Default([]place{quito}))
	all, err := r.All(t.Context())
	require.NoError(t, err)
	require.Equal(t, []place{quito}, all)
	n, err := r.Len(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "a default is not written")
}

func TestGeoOfMany(t *testing.T) {
	t.Parallel()
	settings(t, func(t *testing.T, opts ...nest.KeyOption) {
		r := geoOf(t, opts...)
		var many []place
		for i, text := range manyTexts(t) {
			many = append(many, place{Member: text, Point: nest.Point{Longitude: float64(i%300) / 2, Latitude: float64(i%170) / 2}})
		}
		n, err := r.AddMany(t.Context(), many)
		require.NoError(t, err)
		require.Equal(t, int64(len(many)), n)
	})
}

func TestGeoExpiry(t *testing.T) {
	t.Parallel()
	type ref = nest.GeoRef[string]
	circle := nest.Circle(1, nest.Kilometers)
	writes := map[string]func(context.Context, ref) error{
		"Add":      func(ctx context.Context, r ref) error { _, err := r.Add(ctx, "x", quito.Point); return err },
		"AddMany":  func(ctx context.Context, r ref) error { _, err := r.AddMany(ctx, []place{quito}); return err },
		"Remove":   func(ctx context.Context, r ref) error { _, err := r.Remove(ctx, "Palermo"); return err },
		"Search":   func(ctx context.Context, r ref) error { _, err := r.Search(ctx, quito.Point, circle); return err },
		"Position": func(ctx context.Context, r ref) error { _, _, err := r.Position(ctx, "Palermo"); return err },
	}
	if nesttest.Shared(t).Has(t, "GEOSEARCHSTORE {nesttest} {nesttest} FROMLONLAT 1 1 BYRADIUS 1 m") {
		writes["StoreSearch"] = func(ctx context.Context, r ref) error {
			_, err := r.StoreSearch(ctx, r, palermo.Point, circle)
			return err
		}
		writes["StoreSearchFrom"] = func(ctx context.Context, r ref) error {
			_, err := r.StoreSearchFrom(ctx, r, "Palermo", circle)
			return err
		}
	}
	requireExpiry(t, geoOf, func(ctx context.Context, r ref) error {
		_, err := r.AddMany(ctx, []place{palermo, catania})
		return err
	}, writes, "StoreSearch", "StoreSearchFrom")
}
