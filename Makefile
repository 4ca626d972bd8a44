# vipfleet: build, test, show. Every target installs what it lacks on a Debian 12 machine that has a
# Rust toolchain; as another user than root it says what is missing instead.

CARGO ?= cargo
# .ci/run passes --locked: a build that would change Cargo.lock fails there.
CARGO_FLAGS ?=
# Tests lay networks of namespaces and wait for timers most of the time; the laboratory itself lets
# only two stand for every processor, so more threads than that would only wait for it.
TEST_THREADS ?= $(shell echo $$((2 * $$(nproc))))
# How many cases each property test tries in a soak, and how many seeds the simulator runs.
SOAK_CASES ?= 100000
SEEDS ?= 100000
# How often each fuzz target runs, in a soak and in `make fuzz`.
FUZZ_RUNS ?= 1000000
# Lines of `make bench`, such as F4 or F4,S1; without it all but SOAK and SOAK-FLEET, which take ten
# minutes each. QUICK=1 measures shorter and less.
ONLY ?=
QUICK ?=
# KEEP=1 leaves the demo running, and keeps what fuzzing found worth keeping.
KEEP ?=

.DEFAULT_GOAL := help
.PHONY: help deps build-deps build release test lint demo bench soak fuzz clean

help:
	@echo "make demo        two nginx hosts, a client, a server; failures while a client counts"
	@echo "make demo KEEP=1 the same, left running to look around"
	@echo "make bench       measured beside keepalived in half an hour: docs/benchmarks.md;"
	@echo "                 QUICK=1 takes five minutes, ONLY=F4 measures one line of the table;"
	@echo "                 ONLY=SOAK: ten minutes of changes under load, ONLY=SOAK-FLEET the same"
	@echo "                 through a server"
	@echo "make test        everything: units, protocol, real kernel, keepalived"
	@echo "make lint        formatting, clippy, docs, rules of the house"
	@echo "make soak        property tests with SOAK_CASES=$(SOAK_CASES) cases each,"
	@echo "                 SEEDS=$(SEEDS) simulated fleets, and make fuzz"
	@echo "make fuzz        FUZZ_RUNS=$(FUZZ_RUNS) coverage-guided executions of each fuzz target;"
	@echo "                 KEEP=1 keeps the distilled corpus in fuzz/corpus"
	@echo "make release     the programs, optimised, in target/release"
	@echo "make deps        what the targets above need from the package manager"

# What building needs (etcd-client runs protoc and needs Google's own .proto files).
build-deps:
	@deploy/install-deps.sh build

deps:
	@deploy/install-deps.sh all

build: build-deps
	$(CARGO) build --workspace $(CARGO_FLAGS)

# What is installed, and the prober of the demo.
release: build-deps
	$(CARGO) build --release $(CARGO_FLAGS) \
		-p vipfleet-server -p vipfleet-agent -p vipctl -p vipfleet-tests

# The programs first: end-to-end tests start them as an operator would.
test: deps
	$(CARGO) build --workspace $(CARGO_FLAGS)
	$(CARGO) test --workspace $(CARGO_FLAGS) -- --test-threads=$(TEST_THREADS)

lint: build-deps
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets $(CARGO_FLAGS) -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items \
		$(CARGO_FLAGS)
	$(CARGO) run --quiet --bin house-rules $(CARGO_FLAGS)
	@if command -v shellcheck >/dev/null; then \
		shellcheck .ci/run deploy/*.sh; \
	else \
		echo "shellcheck is not installed: scripts are checked for syntax only"; \
		for script in .ci/run deploy/*.sh; do bash -n "$$script" || exit 1; done; \
	fi

demo: deps release
	@KEEP="$(KEEP)" deploy/demo.sh

bench: deps release
	$(CARGO) build --release -p vipfleet-swarm $(CARGO_FLAGS)
	$(CARGO) run --release --quiet -p vipfleet-bench $(CARGO_FLAGS) -- \
		$(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

# SEEDS=N runs the first N seeds, SEEDS=A..B those from A up to B.
soak: build-deps fuzz
	$(CARGO) run --release $(CARGO_FLAGS) -p vipfleet-simulation --bin simulate -- \
		--seeds $(if $(findstring ..,$(SEEDS)),$(SEEDS),0..$(SEEDS))
	PROPTEST_CASES=$(SOAK_CASES) $(CARGO) test --release $(CARGO_FLAGS) \
		-p vipfleet-vrrp -p vipfleet-model

# What fails is in target/fuzzing; docs/fuzzing.md says what to do with it.
fuzz:
	@CARGO_FLAGS="$(CARGO_FLAGS)" KEEP="$(KEEP)" deploy/fuzz.sh $(FUZZ_RUNS)

clean:
	$(CARGO) clean
