package decls

import "github.com/redisimnest/redisimnest/nest"

func panics() { nest.Key[int]("a::b") }
