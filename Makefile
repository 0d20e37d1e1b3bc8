.PHONY: test run lint bench fuzz docs

test: ## the README's test command
	go test ./...

run: ## the README's main command
	go run . -chdir=examples/quickstart agent -sandbox

lint:
	gofmt -l .
	go vet ./...
	go tool staticcheck ./...
