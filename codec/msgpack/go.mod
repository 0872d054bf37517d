module github.com/redisimnest/redisimnest/codec/msgpack

go 1.26.0

require github.com/redisimnest/redisimnest v0.0.0

require (
	github.com/stretchr/testify v1.12.1 // indirect
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
)

replace github.com/redisimnest/redisimnest => ../..
