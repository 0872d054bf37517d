package nest

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type base struct {
	ID      int64
	Created time.Time `nest:"created,omitzero"`
}

type nested struct {
	base
	Name   string        `nest:"name,was=title,was=label"`
	Plan   string        `nest:",default=free"`
	Wait   time.Duration `nest:"wait,default=5m"`
	Email  *string       `nest:"email"`
	Left   int           `nest:"-"`
	Stamp  time.Time
	hidden int
}

func TestCompileRecord(t *testing.T) {
	r, err := compileRecord(reflect.TypeFor[nested]())
	require.NoError(t, err)
	require.Equal(t, []string{"ID", "created", "name", "Plan", "wait", "email", "Stamp", "title", "label"}, r.names)
	require.Equal(t, recordPlace{2, 2}, r.places["label"])
	require.Equal(t, []int{0, 1}, r.fields[1].index)
	require.Equal(t, "base.Created", r.fields[1].goName)
	require.Equal(t, 5*time.Minute, r.fields[4].fallback.Interface())
	_ = nested{hidden: 1}
}

func TestRecordRefusesWhatItCannotMap(t *testing.T) {
	for name, row := range map[string]struct {
		declare func()
		want    string
	}{
		"no struct":           {func() { Record[int]("r") }, "a record is a struct, not an int"},
		"pointer to a struct": {func() { Record[*base]("r") }, "a record is a struct, not a *nest.base"},
		"no fields":           {func() { Record[struct{ a int }]("r") }, "has no exported field"},
		"tag on unexported": {func() {
			Record[struct {
				a int `nest:"a"`
			}]("r")
		}, "not exported"},
		"unknown option": {func() {
			Record[struct {
				A int `nest:"a,omitempty"`
			}]("r")
		}, `unknown option "omitempty": there are omitzero`},
		"empty former name": {func() {
			Record[struct {
				A int `nest:"a,was="`
			}]("r")
		}, `unknown option "was="`},
		"two of one name": {func() {
			Record[struct {
				A, B int `nest:"x"`
			}]("r")
		}, `the fields A and B share the name "x"`},
		"name of a former one": {func() {
			Record[struct {
				A int
				B int `nest:"b,was=A"`
			}]("r")
		}, `the fields A and B share the name "A"`},
		"shadowed in embedded": {func() {
			Record[struct {
				base
				ID int
			}]("r")
		}, `the fields base.ID and ID share the name "ID"`},
		"embedded pointer": {func() {
			Record[struct {
				*Arg
				A int
			}]("r")
		}, "field Arg is an embedded pointer"},
		"default that is none": {func() {
			Record[struct {
				A int8 `nest:"a,default=200"`
			}]("r")
		}, `default: "200" is no int8`},
		"default of a struct": {func() {
			Record[struct {
				A base `nest:"a,default=x"`
			}]("r")
		}, "default: only strings, numbers and booleans"},
		"default of a pointer": {func() {
			Record[struct {
				A *int `nest:"a,default=1"`
			}]("r")
		}, "use either"},
		"default and omitzero": {func() {
			Record[struct {
				A int `nest:"a,omitzero,default=1"`
			}]("r")
		}, "use either"},
		"default given twice": {func() {
			Record[struct {
				A int `nest:"a,default=1,default=2"`
			}]("r")
		}, "default is given twice"},
		"Default of other type": {func() { Record[base]("r", Default(1)) }, "does not fit"},
		"TTL of fields":         {func() { Record[base]("r", FieldTTL(1)) }, "FieldTTL is no option of a record"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				text, _ := recover().(string)
				require.Contains(t, text, row.want)
				require.Contains(t, text, "record_fields_test.go:")
			}()
			row.declare()
			t.Fatal("accepted")
		})
	}
}

func TestOpenRefusesFieldsThatTheCodecCannotHold(t *testing.T) {
	type bad struct {
		Good int
		Bad  chan int
	}
	err := Check(Cluster("root", Sub(Record[bad]("record"))))
	require.ErrorIs(t, err, ErrDeclaration)
	require.ErrorContains(t, err, "field Bad")
}
