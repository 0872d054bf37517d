module github.com/redisimnest/redisimnest/codec/zstd

go 1.26.0

require (
	github.com/klauspost/compress v1.20.3
	github.com/redisimnest/redisimnest v0.0.0
	github.com/stretchr/testify v1.12.1
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect

replace github.com/redisimnest/redisimnest => ../..
