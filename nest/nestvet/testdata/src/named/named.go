// Package named passes named arguments.
package named

import (
	"github.com/redisimnest/redisimnest/nest"

	"users"
)

var (
	short  = nest.Param[string]("short", nest.MaxLen(3))
	small  = nest.Param[int8]("small")
	Key    = nest.Key[int]("k:<short>:<small>", nest.Params(short, small))
	Tagged = nest.Cluster("tagged:<day>", nest.HashTag(), nest.Sub(Key))
)

func given(s nest.Scope, some nest.Arg) {
	users.Age.At(s, users.ID.Of(7))
	users.Age.At(s, nest.Param[int64]("user_id").Of(7))
	users.Age.At(s, nest.Param[users.OrgID]("user_id").Of(7)) // want `wrong parameter type: parameter <user_id> \(argument 1 of 1\) takes an users.UserID or another value of integer kind, not an users.OrgID, which is another named type`
	users.Age.At(s, nest.Param[string]("user_id").Of("x"))    // want `parameter <user_id> \(argument 1 of 1\) takes an users.UserID or another value of integer kind, not a string`
	Key.At(s, short.Of("abc"), small.Of(7))
	Key.At(s, short.Of("abcd"), small.Of(7))           // want `at "…:{tagged:<day>}:k:<short>:<small>": invalid parameter value: parameter <short> \(argument 1 of 2\) is 4 bytes long, the limit is 3`
	Key.At(s, "abc", nest.Param[int]("small").Of(128)) // want `parameter <small> \(argument 2 of 2\) is out of the range of an int8`
	Key.At(s, "abc", small.Of(1), small.Of(2))         // want `<small> \(argument 3 of 3\) is given twice`
	Key.At(s, "", 1)                                   // want `parameter <short> \(argument 1 of 2\) is empty`
	Key.At(Tagged.At(s, 1), some)                      // want `missing parameter: 1 argument: open below the scope are <short>, <small>; got 1 argument`
	Key.At(s, some, 2)
	users.Texts.At(s, users.ID.Of(7), "u", users.At.Of(users.Place{})) // want `<ident> \(argument 2 of 3\) takes an users.UUID, not a string`
}
