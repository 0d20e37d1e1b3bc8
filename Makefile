.PHONY: help test run lint docs oracle soak bench bench-quick fuzz ci

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

test: ## the README's test command
	go test ./...

run: ## the README's main command
	go run . -chdir=examples/quickstart agent -sandbox

oracle: SHELL := bash -o pipefail
oracle: ## nothing is lost: the simulation, kill -9, failing calls, power cuts; with what was injected and checked
	go test -timeout 15m -v ./tests/simulation ./tests/crash | grep -v -e '^=== ' -e '^ *--- PASS: .*/'

SEEDS ?= 5000
FIRST ?= 1001
soak: ## the simulation with thousands of other seeds: make soak SEEDS=20000 FIRST=50001
	go test -timeout 0 -run 'TestSimulation$$' ./tests/simulation -seeds=$(SEEDS) -first=$(FIRST)

lint: ## every check that reads the sources; fails on findings
	.ci/lint

docs: ## writes the pages that are made from schemas, functions and metrics
	go generate ./docs

ci: ## all that must hold before a change lands
	.ci/run

bench: ## measures beside the peers, one table; about ten minutes
	go run ./bench

bench-quick: ## the same with smaller numbers; about a minute
	go run ./bench -quick

FUZZTIME ?= 30s
fuzz: ## every fuzz target for FUZZTIME, from its committed corpus: make fuzz FUZZTIME=10m
	FUZZTIME=$(FUZZTIME) .ci/fuzz
