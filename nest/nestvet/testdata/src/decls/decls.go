// Package decls has declarations that panic, and some that nearly do.
package decls

import (
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

type date time.Time

func text() string { return "a::b" }

var options = []nest.ParamOption{nest.Layout(time.DateOnly)}

var (
	_ = nest.Key[int]("a::b")        // want `the template "a::b" has an empty segment: it panics when the program starts`
	_ = nest.Key[int](":a")          // want `empty segment`
	_ = nest.Cluster("a:")           // want `empty segment`
	_ = nest.Key[int]("")            // want `is empty`
	_ = nest.Key[int]("a b")         // want `has the character ' ', which names cannot have`
	_ = nest.List[int]("a*")         // want `has the character '\*'`
	_ = nest.Key[int]("a:<id")       // want `has a '<' without its '>'`
	_ = nest.Key[int]("a:id>")       // want `has a '<' without its '>'`
	_ = nest.Key[int]("a:<Id>")      // want `has the parameter <Id>, whose name is not like user_id`
	_ = nest.Key[int]("<id>:<id>")   // want `has the parameter <id> twice`
	_ = nest.Key[int]("<a><b>")      // want `two parameters side by side`
	_ = nest.Key[int]("<a...>:b")    // want `has the tail <a...> before its end`
	_ = nest.Cluster("a:<b...>")     // want `which only a key can end in`
	_ = nest.Key[int]("a:{b}")       // want `has braces around no parameter`
	_ = nest.Key[int]("{<a>}:{<b>}") // want `has braces that are not one pair`
	_ = nest.Key[int]("}<a>{")       // want `has braces that are not one pair`

	_ = nest.Key[int]("a", nest.Was("b:"))         // want `the former template "b:" has an empty segment`
	_ = nest.Key[int]("a", nest.Was("a"))          // want `the former template is the present one`
	_ = nest.Key[int]("a:<x>", nest.Was("b"))      // want `the former template "b" has other parameters than "a:<x>": Open refuses it`
	_ = nest.Cluster("a:<x>", nest.Was("a:<y>"))   // want `has other parameters`
	_ = nest.Key[int]("<p...>", nest.Was("x:<p>")) // want `has other parameters`

	_ = nest.Param[time.Time]("day")                 // want `a parameter of type time.Time needs a Layout`
	_ = nest.Param[time.Time]("day", nest.MaxLen(9)) // want `needs a Layout`
	_ = nest.Param[int]("Day")                       // want `"Day" is no name of a parameter`
	_ = nest.Key[int]("c::d")                        //nest:ignore it shows the error
)

// Near misses.
var (
	_ = nest.Cluster("")
	_ = nest.Key[int](text())
	_ = nest.Key[int]("a:<b>-<c>.d")
	_ = nest.Key[int]("a:<b...>")
	_ = nest.Key[int]("{user:<id>}:cart")
	_ = nest.Key[int]("é:<b_2>")
	_ = nest.Key[int]("a:<x>:<y>", nest.Was("<y>/<x>"))
	_ = nest.Cluster("a", nest.Was(""))
	_ = nest.Key[int]("a", nest.Was(text()))
	_ = nest.Param[time.Time]("day", nest.Layout(time.DateOnly))
	_ = nest.Param[time.Time]("day", options...)
	_ = nest.Param[date]("day", options...)
	_ = nest.Param[time.Duration]("for")
	_ = nest.Param[int](text())
)
