//nest:ignore the whole file shows errors

package tree

import "github.com/redisimnest/redisimnest/nest"

var lostToo = nest.Key[int]("lost_too")
