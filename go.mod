module github.com/redisimnest/redisimnest

go 1.26

require (
	github.com/caarlos0/env/v11 v11.4.2 // indirect
	github.com/joho/godotenv v1.5.1 // indirect
	github.com/redis/rueidis v1.0.79 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
