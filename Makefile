# `make demo` and `make test` are all a newcomer needs; both install what is missing.
SWIFT  ?= swift
PREFIX ?= /usr
DESTDIR ?=
# Seconds per fuzz target, and the seed that makes a run repeatable.
FUZZ_SECONDS ?= 600
FUZZ_SEED ?= 1

# The short list: everything that the build and the demo need from Debian beside Swift.
DEPS = libsystemd-dev libsqlite3-dev pkg-config

# The running kernel as judge of BPF programs; needs `make test-deps`.
JUDGE = .build/verifier-oracle/judge

.PHONY: demo test sanitize test-deps judge bench fuzz format install deb deps programs build release

demo: programs
	Examples/demo

test: build
	$(SWIFT) test --parallel

# Before a release: each takes a build of its own, and its tests several times as long as without.
sanitize: deps
	Scripts/sanitize thread
	Scripts/sanitize address

programs: deps
	$(SWIFT) build --product opsd
	$(SWIFT) build --product opsctl

build: deps
	$(SWIFT) build --build-tests

deps:
	@Scripts/install-deps $(DEPS)

# Heavy oracles; tests that miss them say so and are skipped.
test-deps: deps
	Scripts/test-deps
	$(MAKE) judge

judge: $(JUDGE)

$(JUDGE): Tests/verifier-oracle/judge.c
	@mkdir -p $(@D)
	clang -O2 -Wall -Wextra -o $@ $< -lbpf

bench: deps
	Benchmarks/run
	Benchmarks/loading.sh
	Benchmarks/netsim
	Benchmarks/verify
	Benchmarks/sweep
	Benchmarks/registry

fuzz: deps
	Fuzz/run $(FUZZ_SECONDS) $(FUZZ_SEED)

format:
	$(SWIFT) format -i -r Package.swift Sources Tests Fuzz

# The installed programs carry the Swift runtime, so that the service needs no toolchain.
release: deps
	$(SWIFT) build -c release --static-swift-stdlib --product opsd
	$(SWIFT) build -c release --static-swift-stdlib --product opsctl

install: release
	Scripts/install-files "$$($(SWIFT) build -c release --show-bin-path)" "$(DESTDIR)" "$(PREFIX)"

# A Debian package, .build/deb/opsd_VERSION_ARCHITECTURE.deb.
deb: release
	@Scripts/install-deps dpkg-dev chrpath
	Scripts/make-deb "$$($(SWIFT) build -c release --show-bin-path)" .build/deb
