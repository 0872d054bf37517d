module github.com/redisimnest/redisimnest/bench

go 1.26.0

require github.com/redisimnest/redisimnest v0.0.0

require (
	golang.org/x/crypto v0.58.0
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/redisimnest/redisimnest => ..
