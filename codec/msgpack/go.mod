module github.com/redisimnest/redisimnest/codec/msgpack

go 1.26

require github.com/redisimnest/redisimnest v0.0.0

replace github.com/redisimnest/redisimnest => ../..
