GO      ?= go
PEERS   := cmd/postern/e2e/peers
FUZZ    ?= 60s
STATE   ?= ./.postern
UPFLAGS ?=

.PHONY: up build test conformance deps vet fuzz bench storybook pictures clean

# Everything on this machine, with nothing but Go. Ctrl-C ends it.
up: build
	./bin/postern up --state $(STATE) $(UPFLAGS)

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/postern ./cmd/postern

# Everything there is to test, race detector on. Installs what is missing. A
# skipped test fails, and so does one that docs/security.md names and did not run.
# What takes longest begins first; one package more than cores, because they wait.
test: deps vet
	bash -o pipefail -c 'GORACE=atexit_sleep_ms=20 $(GO) test -race -p $$(($$(nproc) + 1)) -timeout 45m -json ./cmd/postern/e2e ./authserver ./... | $(GO) run ./.ci/tested docs/security.md'

# The official MCP conformance suite, with the proxy and without it, check by
# check; and its authorization mode against the authorization server.
conformance: deps
	$(GO) test -count=1 -run '^TestConformance' -v ./cmd/postern/e2e

vet:
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo 'gofmt would change these files'; exit 1; }
	$(GO) vet ./... ./.ci/tested

deps:
	.ci/deps $(PEERS)

# Each fuzz target for a bounded time; found inputs land in testdata/fuzz.
fuzz:
	.ci/fuzz $(FUZZ)

# What authorization costs per call, against a bare reverse proxy; then what
# tokens cost, against the signatures in them.
bench: build
	$(GO) build -o bin/bench ./cmd/bench
	./bin/bench -binary bin/postern

# Every page of the authorization server in every state, from fixtures.
storybook:
	$(GO) run ./cmd/storybook

# The pictures of the documentation, from the storybook.
pictures:
	$(GO) run ./cmd/storybook -pictures docs/images

clean:
	rm -rf bin
