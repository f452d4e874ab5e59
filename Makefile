# `make check` runs all checks, for developers and CI.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     = mvdan.cc/gofumpt@v0.12.0
MODULE      = github.com/portner-go/portner
MODULES     = . storage/postgres storage/redis storage/sqlite telemetry examples reliability
FUZZ_COUNT ?= 3000x

.PHONY: check fmt vet lint test axe fuzz tidy bench image shots walk mutants reliability peers peers-check soak

check: fmt vet lint tidy test fuzz bench

fmt:
	@out="$$(gofmt -l . ; go run $(GOFUMPT) -l .)"; test -z "$$out" || { echo "not formatted:"; echo "$$out"; exit 1; }

# With the tag servers, then the packages that have files without it, then the careless changes of "make mutants", which must compile.
UNTAGGED = ./internal/programs/ ./internal/stores/
vet:
	go vet -tags servers work
	cd examples && go vet $(UNTAGGED)
	PORTNER_MUTANTS=types go test -run '^TestMutants$$' ./internal/mutations/

lint:
	go run $(STATICCHECK) -tags servers work
	cd examples && go run $(STATICCHECK) $(UNTAGGED)

# Every test: with the race detector, except those of PLAIN, packages which start no goroutine and serve no connection in their code and
# in their tests (internal/archtest). Other packages use them with many goroutines, and their tests have the race detector.
# The packages of BOTH run both ways: with the race detector they leave out some tests or rounds of a race (internal/slow).
# Results that "go test work" left in the cache are used again.
# The programs of examples/ have PostgreSQL and Redis with the tag servers only. "go test work" tests the files without it.
# The tests of examples/ use Chromium, and axe-core if "make axe" has installed it. With CI=true they fail without either.
# Packages wait for browsers and servers, so that more of them than cores run at once. The target vet has examined them.
PLAIN = acr digdir/ansattporten discovery examples/internal/axe examples/internal/image internal/archtest internal/audit \
	internal/bound internal/callers internal/callers/cores internal/callers/grant internal/callers/policies \
	internal/callers/profile internal/callers/resource internal/callers/store internal/display internal/fields internal/httpx \
	internal/jose internal/record internal/requested internal/standin/look internal/standin/strictjson \
	internal/walk nhn/helseid norway pkce rar scope storage storage/combined
BOTH = authorize client client/businesscert digdir/maskinporten dpop internal/commit internal/slow keyset provider pseudonym reliability \
	resource session storage/memory storage/storagetest telemetry token
# The tests of the texts of records, which have numbers of 64 bits, for processors of 32.
X86   = GOOS=linux GOARCH=386 CGO_ENABLED=0
TEXTS = $(addprefix $(MODULE)/,internal/record storage/memory)
RACE = PORTNER_SLOW=1 CGO_ENABLED=1 go test -race -shuffle=on -vet=off -ldflags='-s -w' -timeout 15m -p 4 -tags servers
test:
	PORTNER_SLOW=1 go test -vet=off $(addprefix $(MODULE)/,$(PLAIN) $(BOTH))
	$(X86) go vet $(TEXTS)
	if $(X86) go test -vet=off -run '^$$' $(TEXTS) >/dev/null 2>&1; \
	then $(X86) go test -vet=off -run '^(FuzzRecords|FuzzDecode|TestNumbers)$$' $(TEXTS); \
	else echo "NOT RUN: this machine does not execute programs of 32 bits"; fi
	$(RACE) $(filter-out $(addprefix $(MODULE)/,$(PLAIN)),$(shell go list work))

# axe-core, with which the tests check the accessibility of the pages, from the npm registry into the user's cache.
axe:
	cd examples && go run ./internal/axe/install

# Long random walks of whole providers, compared with a reference model (internal/walk). A failing walk prints its operations,
# shortened, and how to replay them. PORTNER_WALK_SEED is the first seed.
WALKS ?= 100000
walk:
	PORTNER_WALKS=$(WALKS) PORTNER_WALK_LENGTH=80 go test -count=1 -timeout 4h -run '^TestWalks$$' -v ./internal/walk/

# Careless changes, made one by one (internal/mutations): a test must fail with each. It writes internal/mutations/RESULT.md.
# MUTANTS=open runs those without a result, and a regular expression those whose area, rule or file it matches. It needs PostgreSQL,
# PgBouncer and redis-server on this machine, and fails without one of them.
MUTANTS ?= all
mutants:
	PORTNER_MUTANTS='$(MUTANTS)' go test -count=1 -timeout 4h -run '^TestMutants$$' -v ./internal/mutations/

# Every fuzz target, with a fixed number of inputs each.
fuzz:
	./internal/fuzzsmoke.sh $(FUZZ_COUNT)

# Each module builds without the workspace.
tidy:
	@for d in $(MODULES); do (cd $$d && GOWORK=off go mod tidy -diff && GOWORK=off go build -ldflags='-s -w' -o /dev/null ./...) || exit 1; done

# The cost of each operation relative to two bare signatures. Fails if an operation allocates more than its bound or a code
# exchange costs too much (docs/performance.md).
bench:
	go test -count=1 -run '^TestAllocations$$' -bench '^BenchmarkCosts$$' -benchtime 1x ./provider/

# What operations cost beside other providers, in tables and a plot in docs/ (bench/README.md). bench is not in go.work, because of the
# dependencies of the others. N is the number of code exchanges that are measured.
N ?= 20000
peers:
	cd bench && GOWORK=off go run . -n $(N) -docs ../docs

# With luikyv/go-oidc (bench/variant.go) only where its module can be downloaded: some module proxies refuse it. staticcheck has no overlay.
VARIANT = -modfile=_luikyv/go.mod -overlay=_luikyv/overlay.json
peers-check: export GOWORK = off
peers-check:
	cd bench && go mod tidy -diff && go vet . && go run $(STATICCHECK) . && go test .
	cd bench && if ! go mod download -modfile=_luikyv/go.mod github.com/luikyv/go-oidc; then \
		echo "NOT CHECKED: luikyv/go-oidc cannot be downloaded: bench/_luikyv is neither compiled nor tested"; \
	else go mod tidy -diff $(VARIANT) && go vet $(VARIANT) . && go test $(VARIANT) .; fi

# A container image as an OCI archive, for linux/amd64 and linux/arm64, without a container engine (docs/compose.md).
image:
	@mkdir -p bin
	go run ./examples/internal/image -o bin/portner.tar

# Experiments that break the servers of a provider and of its store on purpose (reliability/README.md), in their short profile.
RELIABILITY ?= -x all -profile ci
reliability:
	go run ./reliability $(RELIABILITY)

# Ten minutes of mixed flows at full load, with a clock that runs 600 times as fast, on each of two stores (reliability/README.md).
soak:
	go run ./reliability -x fast-clock -profile full

# Screenshots in docs/, taken in headless Chromium.
shots:
	cd examples && PORTNER_SHOTS=$(CURDIR)/docs/screenshots go test -count=1 -timeout 1h -run 'TestDemo|TestStories|TestWalk|TestAdministrationPages' ./idporten/ ./internal/landscape/ ./helseid/
