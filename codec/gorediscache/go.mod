module github.com/redisimnest/redisimnest/codec/gorediscache

go 1.26.0

require (
	github.com/klauspost/compress v1.20.3
	github.com/redisimnest/redisimnest v0.0.0
	github.com/redisimnest/redisimnest/codec/msgpack v0.0.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/redisimnest/redisimnest => ../..

replace github.com/redisimnest/redisimnest/codec/msgpack => ../msgpack
