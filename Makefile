.PHONY: test run lint bench bench-quick fuzz docs

test: ## the README's test command
	go test ./...

run: ## the README's main command
	go run . -chdir=examples/quickstart agent -sandbox

lint:
	gofmt -l .
	go vet ./...
	go tool staticcheck ./...

bench: ## measures beside the peers, one table; about ten minutes
	go run ./bench

bench-quick: ## the same with smaller numbers; about a minute
	go run ./bench -quick
