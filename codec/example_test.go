package codec_test

import (
	"fmt"
	"time"

	"github.com/redisimnest/redisimnest/codec"
)

func ExampleFor() {
	ages, err := codec.For[int](codec.Auto)
	if err != nil {
		panic(err)
	}
	stored, _ := ages.Encode(42)
	fmt.Println(stored)
	_, err = ages.Decode("forty-two")
	fmt.Println(err)
	_, err = codec.For[chan int](codec.Auto)
	fmt.Println(err)
	// Output:
	// 42
	// codec: auto: cannot decode int from 9 bytes: not a decimal integer in its shortest form
	// codec: auto: type chan int: there is no form for chan int
}

func ExampleVersioned() {
	before, _ := codec.For[[]int](codec.Auto)
	old, _ := before.Encode([]int{1, 2})

	after, _ := codec.For[[]int](codec.Versioned(codec.Gob, codec.Unversioned(codec.Auto)))
	v, err := after.Decode(old)
	fmt.Println(v, err)
	fresh, _ := after.Encode(v)
	v, err = after.Decode(fresh)
	fmt.Println(v, err)
	_, err = before.Decode(fresh)
	fmt.Println(err != nil)
	// Output:
	// [1 2] <nil>
	// [1 2] <nil>
	// true
}

func ExampleMarshal() {
	name, raw, err := codec.Marshal(time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC))
	fmt.Println(name, string(raw), err)
	name, v, err := codec.Unmarshal([]byte(`{"__type__": "dict", "value": {"name": "Ali", "tags": ["a", "b"]}}`))
	fmt.Println(name, v, err)
	// Output:
	// datetime {"__type__": "datetime", "value": "2024-01-02T03:04:05+00:00"} <nil>
	// dict [{name Ali} {tags [a b]}] <nil>
}
