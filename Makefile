# Everything a developer and CI run. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
BULKHEAD_CACHE ?= $(HOME)/.cache/bulkhead
export BULKHEAD_CACHE
RELEASE := $(or $(CARGO_TARGET_DIR),target)/release

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## Install what a bare machine lacks (Debian), once
	@sh tests/setup.sh

.PHONY: plugins
plugins: setup ## Build the guests: plugins/target/components/*.wasm
	@sh plugins/build.sh

.PHONY: build
build: plugins ## Build the release binary: target/release/bulkhead
	$(CARGO) build --release --locked -p bulkhead-cli
	@# The guests are compiled ahead by the binary itself, which attaches the result to its own file.
	@$(RELEASE)/bulkhead precompile

.PHONY: publish
publish: build ## Push the built-in plugins to a registry: REGISTRY=registry.example.com/bulkhead
	@sh plugins/publish.sh $(RELEASE)/bulkhead "$(REGISTRY)" $(PUBLISH_FLAGS)

.PHONY: demo
demo: plugins ## Run the main job end to end, without a cluster
	$(CARGO) build --release --locked -p bulkhead-cli
	@sh examples/demo.sh $(RELEASE)/bulkhead

.PHONY: cluster-programs
cluster-programs:
	@sh tests/cluster/build.sh

.PHONY: cluster
cluster: cluster-programs ## Start a Kubernetes API server to play with; prints its KUBECONFIG
	$(CARGO) run --locked -q -p bulkhead-testing --example cluster

.PHONY: lint
lint: plugins ## Format, clippy, both workspaces
	$(CARGO) fmt --check
	cd plugins && $(CARGO) fmt --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	cd plugins && $(CARGO) clippy --locked --workspace --all-targets -- -D warnings

.PHONY: test
test: plugins cluster-programs lint ## Run every test: unit, cases, servers, real API server
	@bash tests/run.sh

.PHONY: quick
quick: plugins ## Run the tests that need no cluster
	$(CARGO) test --locked --workspace
	cd plugins && $(CARGO) test --locked --workspace

.PHONY: bench
bench: build cluster-programs ## Measure: renders, sandbox, 300 Kustomizations on a real API server
	@bash tests/bench/run.sh $(RELEASE)

.PHONY: conformance
conformance: build ## Score the renderers, where ../shared/conformance is there
	@bash tests/conformance.sh $(RELEASE)/bulkhead

.PHONY: real-charts
real-charts: build cluster-programs ## Take the real charts of ../shared/conformance through a release's life
	@bash tests/realcharts/run.sh $(RELEASE)/bulkhead

FUZZ_SECONDS ?= 1800
PLUGINS_TARGET := $(or $(CARGO_TARGET_DIR),plugins/target)

.PHONY: fuzz
fuzz: ## Fuzz what reads components, manifests and what guests return: FUZZ_SECONDS each
	$(CARGO) run --locked -q -p bulkhead-wasm --example fuzz -- $(FUZZ_SECONDS)
	$(CARGO) run --locked -q -p bulkhead-apply --example fuzz-documents -- $(FUZZ_SECONDS)

.PHONY: fuzz-kustomize
fuzz-kustomize: ## Compare with kustomize's own engine on made-up trees: FUZZ_SECONDS=1800, needs Go
	cd plugins && $(CARGO) build --locked -p bulkhead-kustomize --example kustomize-render
	cd plugins/kustomize/fuzz/oracle && go build -o $(abspath $(PLUGINS_TARGET))/kustomize-engine .
	cd plugins && python3 kustomize/fuzz/fuzz.py --oracle $(abspath $(PLUGINS_TARGET))/kustomize-engine \
		--seconds $(FUZZ_SECONDS) --keep target/differences \
		--ours "$(abspath $(PLUGINS_TARGET))/debug/examples/kustomize-render --serve"

.PHONY: fuzz-helm
fuzz-helm: ## Compare with Helm's own engine on made-up charts: FUZZ_SECONDS=1800, needs Go
	cd plugins && $(CARGO) build --locked -p bulkhead-helm --example fuzz-serve
	cd plugins/helm/fuzz/oracle && go build -o $(abspath $(PLUGINS_TARGET))/helm-engine .
	cd plugins && python3 helm/fuzz/fuzz.py --oracle $(abspath $(PLUGINS_TARGET))/helm-engine \
		--seconds $(FUZZ_SECONDS) --ours $(abspath $(PLUGINS_TARGET))/debug/examples/fuzz-serve \
		--keep target/differences-helm

.PHONY: audit
audit: ## Check licences, sources and duplicates of all dependencies
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check licenses bans sources
	cd plugins && $(CARGO) deny --config ../deny.toml check licenses bans sources

.PHONY: install-manifests
install-manifests: ## Write deploy/install.yaml again after a change of types
	BULKHEAD_UPDATE=1 $(CARGO) test --locked -p bulkhead-cli install

.PHONY: clean
clean: ## Remove what was built in the checkout
	$(CARGO) clean
	rm -rf plugins/target
