package rawunsaid

import "github.com/redis/rueidis"

/* want `//nest:raw without a reason: say why the package has raw keys` */ //nest:raw

func keys(b rueidis.Builder) { b.Get().Key("user:1") } // want `a literal`
