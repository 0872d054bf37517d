package rawmarked

import "github.com/redis/rueidis"

//nest:raw the keys of another service are read here

func keys(b rueidis.Builder) { b.Get().Key("user:1") }
