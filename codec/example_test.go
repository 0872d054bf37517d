package codec_test

import (
	"fmt"
	"time"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/gob"
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

// A key moves from Auto to Gob while old and new processes run. Each step is one release. Each
// release reads what the one before it and the one after it write.
func ExampleVersioned() {
	steps := []codec.Codec{
		codec.Auto, // so far
		codec.Versioned(codec.Upcoming(gob.Codec), codec.Unversioned(codec.Auto)), // read the new form
		codec.Versioned(gob.Codec, codec.Unversioned(codec.Auto)),                 // write it, too
		codec.Versioned(gob.Codec),                                                // once no old value is left
	}
	var stored string
	for i, c := range steps {
		key, err := codec.For[[]int](c)
		if err != nil {
			panic(err)
		}
		if i > 0 {
			old, err := key.Decode(stored)
			fmt.Println("read:", old, err)
		}
		stored, _ = key.Encode([]int{1, 2})
		fmt.Printf("written: %.5q\n", stored)
	}
	// Output:
	// written: "[1,2]"
	// read: [1 2] <nil>
	// written: "[1,2]"
	// read: [1 2] <nil>
	// written: "\xc1V\x01\f\xff"
	// read: [1 2] <nil>
	// written: "\xc1V\x01\f\xff"
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
