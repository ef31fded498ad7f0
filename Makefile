# make demo: see it work. make test: everything that is checked. Output is never hidden.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
VACPACK := target/release/vacpack
# Checkers that .ci/setup puts here; the tests find promtool by it too.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help setup setup-build build demo test lint fmt static acceptance conformance model bench bench-codecs bench-e2e bench-slow bench-life corpus image clean

help:
	@echo 'make setup       install what is missing (cmake, decoders, checkers), and say so'
	@echo 'make demo        set up, build, and run vacpack before a sample app'
	@echo 'make build       the release binary: $(VACPACK)'
	@echo 'make test        formatting, lints, manifests, chart, schema, Dockerfile, and all tests'
	@echo 'make lint        the part of it that runs nothing'
	@echo 'make acceptance  the real payloads through every coding, protocol and chunking; fetches them first'
	@echo 'make fmt         format the code'
	@echo 'make conformance the public HTTP cache suite; CACHE_TESTS_DIR is a checkout of http-tests/cache-tests'
	@echo 'make model       ten minutes of random traffic against a model of what may be answered'
	@echo 'make bench       micro-benchmarks'
	@echo 'make bench-codecs  the encoders beside the C libraries, on the real payloads'
	@echo 'make bench-e2e   load through vacpack, and through other proxies where installed'
	@echo 'make bench-slow  slow clients, prompt streams, and a CPU quota: memory and delays, five minutes'
	@echo 'make bench-life  starts, reloads, and a rolling restart under load: three minutes'
	@echo 'make corpus      fetch the real payloads into corpus/'
	@echo 'make image       build the container image without a container engine, and run it hardened'

setup:
	.ci/setup test

setup-build:
	.ci/setup build

build: setup-build
	$(CARGO) build --release --locked

demo: build
	$(VACPACK) demo $(DEMO_ARGS)

# The runner's own summary comes last.
test: setup lint
	$(CARGO) test --locked --doc
	$(CARGO) test --locked --lib --bins --tests

lint: setup static
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path benches/codecs/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- -D warnings

# Everything that is not Rust.
static: setup
	tests/static/check

# The suite is its authors': a checkout with `npm install` done. The summary is kept beside the other measured runs.
conformance: build
	@test -d '$(CACHE_TESTS_DIR)/test-engine' || { echo 'CACHE_TESTS_DIR: not a checkout of http-tests/cache-tests' >&2; exit 64; }
	node tests/conformance/run.mjs '$(CACHE_TESTS_DIR)' $(VACPACK) conf/examples/conformance.toml \
		benches/runs/$(shell date -u +%F)/conformance.txt
	node tests/conformance/run.mjs '$(CACHE_TESTS_DIR)' $(VACPACK) conf/examples/conformance.toml \
		benches/runs/$(shell date -u +%F)/conformance-coded.txt coded

# Seconds by MODEL_SECONDS; MODEL_SEED asks the same things again.
model: export MODEL_SECONDS ?= 600
model: setup
	$(CARGO) test --locked --test it -- --ignored --nocapture model::

# Those of the tests that need the corpus.
acceptance: setup build corpus
	$(CARGO) test --locked --test it -- --ignored corpus::
	tests/corpus/chunkings --vacpack $(VACPACK) --into benches/runs/$(shell date -u +%F)/chunkings.md

fmt:
	$(CARGO) fmt

bench: setup-build
	$(CARGO) bench --locked

# CORPUS: more folders of real files.
bench-codecs: setup-build corpus
	$(CARGO) run --release --locked --manifest-path benches/codecs/Cargo.toml --target-dir target -- \
		benches/runs/$(shell date -u +%F) corpus $(CORPUS)

bench-e2e: build
	benches/e2e/run

# The last one needs to be root, for a control group.
bench-slow: build
	benches/e2e/slow
	benches/e2e/prompt
	benches/e2e/squeeze

bench-life: build
	benches/e2e/life/run

corpus:
	tests/corpus/fetch corpus

image:
	.ci/setup image
	.ci/image

clean:
	$(CARGO) clean
