# The commands a person needs. `make help` lists them.

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/waystation-tests
DENY := $(CACHE)/cargo-deny-0.20.2/bin/cargo-deny
export WAYSTATION_INFLUXD ?= $(CACHE)/influxd-2.9.1/influxd

.DEFAULT_GOAL := help
.PHONY: help demo build test lint deny docs bench firmware fuzz setup setup-build setup-test setup-bench

help: ## List the commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup-build ## Build and run it with simulated stations; prints the address. Ctrl-C ends all of it.
	cargo build --release --bin waystation
	exec target/release/waystation demo --config config

build: setup-build ## A release build: target/release/waystation.
	cargo build --release --bin waystation

test: setup-test ## Install and start what the tests need, and run all of them.
	cargo test --lib --bins --tests --no-fail-fast
	cargo test --doc

lint: ## Format and lints, as CI checks them.
	cargo fmt --check
	cargo clippy --all-targets --quiet -- -D warnings

docs: ## The documentation of the code: target/doc/waystation.
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --document-private-items --quiet

deny: $(DENY) ## Licences, bans and sources of every dependency.
	$(DENY) check bans licenses sources

bench: setup-bench ## The figures of benches/RESULTS.md, against Telegraf; about 20 minutes on a quiet machine.
	benches/run

firmware: setup-test ## The reference firmware of devices/firmware against the whole program.
	@tests/servers/install firmware
	cargo test --test firmware

fuzz: ## Ten million mutated messages through decoding and framing.
	WAYSTATION_FUZZ_INPUTS=10000000 cargo test --release --test fuzz
	WAYSTATION_FUZZ_INPUTS=10000000 cargo test --release --lib decode::tests::fuzz

setup: setup-test setup-bench ## Install all that building, testing and measuring need.

setup-build:
	@tests/servers/install build

setup-test: setup-build
	@tests/servers/install test

setup-bench: setup-test
	@tests/servers/install bench

$(DENY):
	CARGO_PROFILE_RELEASE_LTO=off cargo install --quiet --locked cargo-deny --version 0.20.2 --root $(CACHE)/cargo-deny-0.20.2
