# `make test` is all there is to pass. CONTRIBUTING.md says what the parts cost.
.DEFAULT_GOAL := test
# One after the other: building the EC2 client alone takes 7 GB, and never two of them at a time.
.NOTPARALLEL:
.PHONY: test test-vm quick demo need need-peers fmt lint doc deny shell fuzz-check run-tests bench fuzz man install

SHELL := /bin/bash
CARGO ?= cargo
# PEERS=0 leaves out what only other programs can tell: shellcheck, and the tests against a real registry, skopeo, moto.
PEERS ?= 1
# FEATURES=--no-default-features leaves out AWS, the dear part of every build.
FEATURES ?=
FUZZ_SECONDS ?= 30
# What `make bench` measures.
BENCHES ?= plan layer bake push host
FUZZ_TARGETS := $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))

export PEERS
export PATH := $(CURDIR)/target/tools/bin:$(PATH)

# The cheap before the dear. Clippy and the documentation share what they need of the dependencies.
test: need fmt shell deny lint doc fuzz-check run-tests

# A whole host: a virtual machine boots with what elkbake makes for it. Root makes its disk, once; qemu emulates the
# processor, so that this takes minutes.
test-vm:
ifneq ($(PEERS),0)
	tools/need.sh cc c++ mmdebstrap mkfs.ext4 mkfs.xfs genisoimage qemu-img qemu-system-x86_64
	tools/vm.sh
	tools/test.sh $(FEATURES) --test vm
else
	@echo "elkbake: hosts NOT booted: PEERS=0 leaves out qemu"
endif

# All that elkbake does, on real inputs, in a temporary folder. Where programs are missing and this is root, they are
# installed; else it makes do without.
demo:
	tools/need.sh cc c++
	-@tools/need.sh zip mmdebstrap python3 venv curl > /dev/null 2>&1
	tools/demo.sh

# The loop while writing: no AWS, no binary, no peers.
quick:
	$(CARGO) test --locked --no-default-features --lib

need:
	tools/need.sh cc c++ git curl cargo-deny
ifneq ($(PEERS),0)
	tools/need.sh shellcheck cloud-init systemd-analyze udevadm nft chronyd dnf rpmbuild createrepo_c ip mkfs.ext4 mkfs.xfs docker-registry openssl skopeo umoci podman runc docker dockerd moto_server python3 ruby bundle jruby zip unzip xz zstd \
	    aws cfn-lint jq terraform packer docker-compose actionlint yamllint check-jsonschema parliament
	tools/fetch.sh debian authorities filebeat java elasticsearch opensearch-plugin
endif

fmt:
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml

# What is applied on a host is one program in three files.
shell:
ifneq ($(PEERS),0)
	shellcheck .ci/run tools/*.sh images/elasticsearch/usr/local/bin/* $(filter-out src/ami/host/apply.sh,$(wildcard src/ami/host/*.sh)) tests/host/*.sh ami/es-node/usr/local/bin/*
	cat src/ami/host/apply.sh src/ami/host/apply/docker.sh src/ami/host/apply/start.sh | shellcheck -
else
	@echo "elkbake: scripts NOT checked: PEERS=0 leaves out shellcheck"
endif

lint:
	$(CARGO) clippy --locked $(FEATURES) --all-targets --test vm -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked $(FEATURES) --no-deps --document-private-items

deny:
	$(CARGO) deny --log-level error --locked check bans licenses sources
	tools/advisories.sh

# Also shows that the library stands without AWS. The fuzzed program has the product's versions of everything.
fuzz-check:
	cp Cargo.lock fuzz/Cargo.lock
	$(CARGO) check --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --all-targets

run-tests:
	tools/test.sh $(FEATURES)

# The peers of whole builds: who is missing is left out of the table, and the table says so. Only `host` needs AWS, whose
# clients take minutes to build.
bench:
ifneq ($(PEERS),0)
	-tools/need.sh buildah curl docker docker-registry dockerd packer pigz skopeo umoci
endif
	$(if $(filter-out host,$(BENCHES)),$(CARGO) bench --locked --no-default-features $(addprefix --bench ,$(filter-out host,$(BENCHES))))
	$(if $(filter host,$(BENCHES)),$(CARGO) bench --locked --bench host)
	$(CARGO) bench --locked --no-default-features --bench charts

# Looks for input that breaks a parser, FUZZ_SECONDS for each target. The sanitizer's switch is for nightly
# compilers, or for a stable one that is told to behave like one.
fuzz:
	tools/need.sh c++ cargo-fuzz
	cp Cargo.lock fuzz/Cargo.lock
	set -e; for target in $(FUZZ_TARGETS); do \
	    mkdir -p fuzz/corpus/$$target; \
	    RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --target-dir target/fuzz $$target fuzz/corpus/$$target $(wildcard recipes) -- \
	        -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=5; \
	done

man:
	$(CARGO) run --locked --quiet --no-default-features -- man target/man

# PREFIX=/usr/local puts it into /usr/local/bin; without, it goes where cargo puts programs.
install:
	$(CARGO) install --locked --path . $(if $(PREFIX),--root $(PREFIX))
