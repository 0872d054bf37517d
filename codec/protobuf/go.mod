module github.com/redisimnest/redisimnest/codec/protobuf

go 1.26.0

require (
	github.com/redisimnest/redisimnest v0.0.0
	github.com/stretchr/testify v1.12.1
	google.golang.org/protobuf v1.36.12
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect

replace github.com/redisimnest/redisimnest => ../..
