package bench

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

// The keyspace whose names are built.
var (
	version = nest.Key[int]("version")
	age     = nest.Key[int]("age")
	event   = nest.Key[int]("on:<day>:at:<hour>:<room>")
	seat    = nest.Key[int]("in:<city>:of:<name>")

	user         = nest.Cluster("user:<user_id>", nest.Sub(age, event))
	nameAge      = nest.Key[int]("age")
	named        = nest.Cluster("named:<name>", nest.Sub(nameAge))
	orgAge       = nest.Key[int]("age")
	org          = nest.Cluster("org:<org>:user:<name>", nest.Sub(orgAge))
	visitorParam = nest.Param[visitorID]("visitor")
	visit        = nest.Key[int]("visit:<visitor>:last", nest.Params(visitorParam))
	word         = nest.Param[string]("word")
	search       = nest.Key[int]("search:<word>:hits", nest.Params(word))
	keyspace     = nest.Cluster("root", nest.Sub(version, user, named, org, seat, visit, search))
)

type visitorID int64

// Parameters that differ from call to call: no name is built twice in a row.
const several = 256

var (
	ids    = values(func(i int) int64 { return 1_000_000 + int64(i)*7_919 })
	days   = values(func(i int) int64 { return int64(i%28 + 1) })
	names  = values(func(i int) string { return "user-" + strconv.Itoa(1000+i) })
	cities = values(func(i int) string { return "city-" + strconv.Itoa(i) })
	uuids  = values(func(i int) string { return "7f3c9a52-1b0e-4c55-9d7e-00000000" + strconv.Itoa(1000+i) })
	odd    = values(func(i int) string { return "a:b{" + strconv.Itoa(i) + "}" })
)

func values[T any](of func(i int) T) (all [several]T) {
	for i := range all {
		all[i] = of(i)
	}
	return all
}

// resolving builds a name from the parameters at index i.
type resolving = contender[func(i int) string]

// escaper escapes values for the other contenders; nest does so by itself.
var escaper = strings.NewReplacer("%", "%25", ":", "%3A", "{", "%7B", "}", "%7D", "<", "%3C", ">", "%3E")

func resolvings(t testing.TB) []struct {
	name string
	by   []resolving
} {
	top, err := nest.Open(nil, keyspace, nest.NamesOnly())
	require.NoError(t, err)
	one := user.At(top, ids[0])
	prefix := one.Prefix()
	return []struct {
		name string
		by   []resolving
	}{
		{"no parameter", []resolving{
			{"nest", func(int) string { return version.At(top).Key() }},
			{"concat", func(int) string { return top.Prefix() + ":version" }},
		}},
		{"an integer", []resolving{
			{"nest", func(i int) string { return age.At(top, ids[i]).Key() }},
			{"concat", func(i int) string { return "root:user:" + strconv.FormatInt(ids[i], 10) + ":age" }},
			{"builder", func(i int) string {
				var b strings.Builder
				b.WriteString("root:user:")
				b.WriteString(strconv.FormatInt(ids[i], 10))
				b.WriteString(":age")
				return b.String()
			}},
			{"sprintf", func(i int) string { return fmt.Sprintf("root:user:%d:age", ids[i]) }},
			{"join", func(i int) string {
				return strings.Join([]string{"root", "user", strconv.FormatInt(ids[i], 10), "age"}, ":")
			}},
			{"append", func(i int) string {
				var stack [64]byte
				b := append(stack[:0], "root:user:"...)
				b = strconv.AppendInt(b, ids[i], 10)
				return string(append(b, ":age"...))
			}},
		}},
		{"a uint32", []resolving{
			{"nest", func(i int) string { return age.At(top, uint32(ids[i])).Key() }},
			{"concat", func(i int) string { return "root:user:" + strconv.FormatUint(uint64(uint32(ids[i])), 10) + ":age" }},
		}},
		{"an integer of a named type", []resolving{
			{"nest", func(i int) string { return visit.At(top, visitorID(ids[i])).Key() }},
			{"concat", func(i int) string { return "root:visit:" + strconv.FormatInt(ids[i], 10) + ":last" }},
		}},
		{"an integer by Of", []resolving{
			{"nest", func(i int) string { return visit.At(top, visitorParam.Of(visitorID(ids[i]))).Key() }},
			{"concat", func(i int) string { return "root:visit:" + strconv.FormatInt(ids[i], 10) + ":last" }},
		}},
		{"a string by Of", []resolving{
			{"nest", func(i int) string { return search.At(top, word.Of(names[i])).Key() }},
			{"concat", func(i int) string { return "root:search:" + names[i] + ":hits" }},
		}},
		{"an integer, from its scope", []resolving{
			{"nest", func(int) string { return age.At(one).Key() }},
			{"concat", func(i int) string { return "root:user:" + strconv.FormatInt(ids[i], 10) + ":age" }},
			{"prefix", func(int) string { return prefix + ":age" }},
		}},
		{"a string", []resolving{
			{"nest", func(i int) string { return nameAge.At(top, names[i]).Key() }},
			{"concat", func(i int) string { return "root:named:" + names[i] + ":age" }},
			{"builder", func(i int) string {
				var b strings.Builder
				b.WriteString("root:named:")
				b.WriteString(names[i])
				b.WriteString(":age")
				return b.String()
			}},
			{"sprintf", func(i int) string { return fmt.Sprintf("root:named:%s:age", names[i]) }},
			{"join", func(i int) string { return strings.Join([]string{"root", "named", names[i], "age"}, ":") }},
			{"append", func(i int) string {
				var stack [64]byte
				b := append(stack[:0], "root:named:"...)
				b = append(b, names[i]...)
				return string(append(b, ":age"...))
			}},
		}},
		{"two strings", []resolving{
			{"nest", func(i int) string { return orgAge.At(top, cities[i], names[i]).Key() }},
			{"concat", func(i int) string { return "root:org:" + cities[i] + ":user:" + names[i] + ":age" }},
			{"builder", func(i int) string {
				var b strings.Builder
				b.WriteString("root:org:")
				b.WriteString(cities[i])
				b.WriteString(":user:")
				b.WriteString(names[i])
				b.WriteString(":age")
				return b.String()
			}},
			{"sprintf", func(i int) string { return fmt.Sprintf("root:org:%s:user:%s:age", cities[i], names[i]) }},
			{"join", func(i int) string {
				return strings.Join([]string{"root", "org", cities[i], "user", names[i], "age"}, ":")
			}},
			{"append", func(i int) string {
				var stack [64]byte
				b := append(stack[:0], "root:org:"...)
				b = append(b, cities[i]...)
				b = append(b, ":user:"...)
				b = append(b, names[i]...)
				return string(append(b, ":age"...))
			}},
		}},
		{"two strings, one a UUID", []resolving{
			{"nest", func(i int) string { return orgAge.At(top, uuids[i], names[i]).Key() }},
			{"concat", func(i int) string { return "root:org:" + uuids[i] + ":user:" + names[i] + ":age" }},
		}},
		{"two strings, one at the end", []resolving{
			{"nest", func(i int) string { return seat.At(top, cities[i], names[i]).Key() }},
			{"concat", func(i int) string { return "root:in:" + cities[i] + ":of:" + names[i] }},
		}},
		{"two integers and two strings", []resolving{
			{"nest", func(i int) string { return event.At(top, ids[i], days[i], cities[i], names[i]).Key() }},
			{"concat", func(i int) string {
				return "root:user:" + strconv.FormatInt(ids[i], 10) + ":on:" + strconv.FormatInt(days[i], 10) + ":at:" + cities[i] + ":" + names[i]
			}},
			{"builder", func(i int) string {
				var b strings.Builder
				b.WriteString("root:user:")
				b.WriteString(strconv.FormatInt(ids[i], 10))
				b.WriteString(":on:")
				b.WriteString(strconv.FormatInt(days[i], 10))
				b.WriteString(":at:")
				b.WriteString(cities[i])
				b.WriteString(":")
				b.WriteString(names[i])
				return b.String()
			}},
			{"sprintf", func(i int) string {
				return fmt.Sprintf("root:user:%d:on:%d:at:%s:%s", ids[i], days[i], cities[i], names[i])
			}},
			{"join", func(i int) string {
				return strings.Join([]string{"root", "user", strconv.FormatInt(ids[i], 10), "on", strconv.FormatInt(days[i], 10), "at", cities[i], names[i]}, ":")
			}},
			{"append", func(i int) string {
				var stack [128]byte
				b := append(stack[:0], "root:user:"...)
				b = strconv.AppendInt(b, ids[i], 10)
				b = append(b, ":on:"...)
				b = strconv.AppendInt(b, days[i], 10)
				b = append(b, ":at:"...)
				b = append(b, cities[i]...)
				b = append(b, ':')
				return string(append(b, names[i]...))
			}},
		}},
		{"the same, from the first one's scope", []resolving{
			{"nest", func(i int) string { return event.At(one, days[i], cities[i], names[i]).Key() }},
			{"concat", func(i int) string {
				return prefix + ":on:" + strconv.FormatInt(days[i], 10) + ":at:" + cities[i] + ":" + names[i]
			}},
		}},
		{"a string to escape", []resolving{
			{"nest", func(i int) string { return nameAge.At(top, odd[i]).Key() }},
			{"concat", func(i int) string { return "root:named:" + escaper.Replace(odd[i]) + ":age" }},
			{"sprintf", func(i int) string { return fmt.Sprintf("root:named:%s:age", escaper.Replace(odd[i])) }},
		}},
	}
}

// BenchmarkResolve builds names without a parameter, and with one, two and four. It builds them
// from the root, and from a scope that has already filled in the first one.
func BenchmarkResolve(b *testing.B) {
	for _, work := range resolvings(b) {
		for _, c := range work.by {
			b.Run(work.name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					sink = c.do(i % several)
				}
			})
		}
	}
}

// BenchmarkResolveParallel builds the same names on all processors at once.
func BenchmarkResolveParallel(b *testing.B) {
	for _, work := range resolvings(b) {
		for _, c := range work.by {
			b.Run(work.name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					var last string
					for i := 0; pb.Next(); i++ {
						last = c.do(i % several)
					}
					keep(last)
				})
			})
		}
	}
}

// TestResolvings checks that contenders that are compared do the same work.
func TestResolvings(t *testing.T) {
	for _, work := range resolvings(t) {
		for _, c := range work.by[1:] {
			for _, i := range []int{0, 17, several - 1} {
				if work.name == "an integer, from its scope" {
					i = 0 // the scope's own parameter
				}
				require.Equal(t, work.by[0].do(i), c.do(i), "%s/%s", work.name, c.name)
			}
		}
	}
}
