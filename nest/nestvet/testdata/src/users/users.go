// Package users is a domain that another package composes.
package users

import (
	"context"

	"github.com/redisimnest/redisimnest/nest"
)

type (
	UserID int64
	OrgID  int64
	UUID   [16]byte
	Place  struct{ X, Y int }
)

func (UUID) MarshalText() ([]byte, error)      { return nil, nil }
func (*UUID) UnmarshalText(b []byte) error     { return nil }
func (Place) MarshalText() ([]byte, error)     { return nil, nil }
func (*Place) UnmarshalText(text []byte) error { return nil }

var (
	ID     = nest.Param[UserID]("user_id")
	Small  = nest.Param[int8]("small")
	Code   = nest.Param[string]("code", nest.MaxLen(4))
	Ident  = nest.Param[UUID]("ident")
	At     = nest.Param[Place]("place")
	Flag   = nest.Param[bool]("flag")
	Number = nest.Param[uint16]("number")

	Age     = nest.Key[int]("age")
	Session = nest.Key[string]("session:<token>")
	Pair    = nest.Key[int]("pair:<first>:<second>")
	Sizes   = nest.Key[int]("small:<small>:<code>", nest.Params(Small, Code))
	Texts   = nest.Key[int]("text:<ident>:<place>", nest.Params(Ident, At))
	Flags   = nest.Key[int]("flag:<flag>:<number>", nest.Params(Flag, Number))
	Tail    = nest.Key[int]("file:<path...>")

	Cluster = nest.Cluster("user:<user_id>", nest.Params(ID), nest.Sub(Age, Session, Pair, Sizes, Texts, Flags, Tail,
		nest.Cluster("deep:<level>", nest.Sub(Deep))))
	Deep = nest.Key[int]("deep:<name>")
)

// Here only the last arguments are known, not the tree above.
func certain(ctx context.Context, s nest.Scope, id UserID, org OrgID, anything any) {
	Age.At(s).Get(ctx)
	Age.At(s, id).Get(ctx)
	Age.At(s, 7).Get(ctx)
	Age.At(s, int32(7)).Get(ctx)
	Age.At(s, anything).Get(ctx)
	Age.At(s, "tenant", id).Get(ctx)
	Age.At(s, "tenant", "more", id).Get(ctx)
	Age.At(s, org).Get(ctx)    // want `at "…:user:<user_id>:age": wrong parameter type: parameter <user_id> \(argument 1 of 1\) takes an users.UserID or another value of integer kind, not an users.OrgID, which is another named type`
	Age.At(s, "one").Get(ctx)  // want `parameter <user_id> \(argument 1 of 1\) takes an users.UserID or another value of integer kind, not a string`
	Age.At(s, "tenant", "one") // want `parameter <user_id> \(argument 2 of 2\) takes`
	Age.At(s, true)            // want `not a bool`
	Age.At(s, nil)             // want `at "…:user:<user_id>:age": wrong parameter type: parameter <user_id> \(argument 1 of 1\) is nil`
	Age.At(s, 1.5)             // want `integer kind, not a float64`
	Age.At(s, []byte("a"))     // want `not a \[\]uint8`

	Session.At(s, "t")
	Session.At(s, id, "t")
	Session.At(s)          // want `missing parameter: <token>: open below the scope is <token> at the least; got 0 arguments`
	Session.At(s, id, "")  // want `invalid parameter value: argument 2 of 2 is empty`
	Session.At(s, "t", id) // want `parameter <user_id> \(argument 1 of 2\) takes an users.UserID or another value of integer kind, not a string`

	Pair.At(s, 1, 2)
	Pair.At(s, id, 1, 2)
	Pair.At(s, 1) // want `missing parameter: <second>: open below the scope are <first>, <second> at the least; got 1 argument`

	Sizes.At(s, 127, "abcd")
	Sizes.At(s, -128, "abcd")
	Sizes.At(s, 128, "abcd")  // want `invalid parameter value: parameter <small> \(argument 1 of 2\) is out of the range of an int8`
	Sizes.At(s, -129, "abcd") // want `is out of the range of an int8`
	Sizes.At(s, 1, "abcde")   // want `parameter <code> \(argument 2 of 2\) is 5 bytes long, the limit is 4`
	Sizes.At(s, 'a', "abc")
	Flags.At(s, true, 65535)
	Flags.At(s, true, 65536) // want `out of the range of an? uint16`
	Flags.At(s, true, -1)    // want `out of the range of an? uint16`
	Flags.At(s, 1, 1)        // want `parameter <flag> \(argument 1 of 2\) takes a bool or another value of boolean kind, not an int`

	Texts.At(s, UUID{}, At.Of(Place{}))
	Texts.At(s, Ident.Of(UUID{}), At.Of(Place{}))
	Texts.At(s, At.Of(Place{}), UUID{})
	Texts.At(s, UUID{}, Place{})     // want `parameter <place> \(argument 2 of 2\) takes an users.Place only by name: write users.At.Of\(value\)`
	Texts.At(s, "u", At.Of(Place{})) // want `parameter <ident> \(argument 1 of 2\) takes an users.UUID, not a string`

	Deep.At(s, "n")
	Deep.At(s, 1, "n")
	Deep.At(s, id, 1, "n")
	Deep.At(s, "x", id, 1, "n")

	args := []any{1, 2}
	Age.At(s, args...)
	Session.At(s, args...)

	u := Cluster.At(s, id)
	Age.At(u)
	Session.At(u, "t")
	Age.At(u, 1)                  // want `unexpected parameter: argument 1 of 1 has no parameter left to fill: open below the scope is no parameter`
	Session.At(u)                 // want `missing parameter: <token>: open below the scope is <token>; got 0 arguments`
	Session.At(u, id, "t")        // want `unexpected parameter: argument 2 of 2 has no parameter left to fill: open below the scope is <token>`
	Age.At(Cluster.At(s, id), 1)  // want `unexpected parameter`
	Session.At(u, "t", ID.Of(id)) // want `unexpected parameter: <user_id> \(argument 2 of 2\): the scope has filled it in already`
	Session.At(u, ID.Of(id), "t") // want `unexpected parameter: <user_id> \(argument 1 of 2\): the scope has filled it in already`

	Age.At(s)     //nest:ignore it is on purpose
	Session.At(s) //nest:ignore it is on purpose
	//nest:ignore it is on purpose
	Session.At(s)
	Session.At(s) //nest:ignore it speaks of its own line
	Session.At(s) // want `missing parameter`
	//nest:ignore
	Session.At(s) // want `missing parameter`

	v := Cluster.At(s, id)
	if id > 7 {
		v = s
	}
	Age.At(v, id)
}
