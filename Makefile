# `make` says what there is. Each target installs or builds what it lacks.

target := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help build install install-hawkbit pages dist dist-check deb demo demo-qemu test test-quick lint bench fuzz soak clean-cache
.DEFAULT_GOAL := help

help: ## this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the program, optimised: target/release/bootslot
	cargo build --locked --release

install: build ## program, C library, headers, pages, completion: DESTDIR= PREFIX=/usr/local LIBDIR=; units: SYSTEMDUNITDIR= OPENRCDIR= RCSDIR=
	@libraries=$$(tools/build-capi.sh) && tools/install.sh $(target)/release/bootslot "$$libraries"

install-hawkbit: ## the client for hawkBit, beside it: DESTDIR= PREFIX=/usr/local
	cargo build --locked --release -p bootslot-hawkbit
	install -D -m 755 $(target)/release/bootslot-hawkbit $(DESTDIR)$(or $(PREFIX),/usr/local)/bin/bootslot-hawkbit
	tools/install-pages.sh hawkbit

pages: ## makes manual pages and completions of --help and docs/ again
	cargo build --locked --workspace --all-features --bin bootslot-pages
	$(target)/debug/bootslot-pages

demo: build ## an update, a bad one rolled back, power cuts in stores: shown in a minute
	@scripts/demo.sh $(target)/release/bootslot

demo-qemu: ## an update, a rollback and power cuts on a real U-Boot in QEMU, with its serial output
	@qemu/demo.sh

test: ## every check, as CI runs it
	@tools/test.sh all

test-quick: ## unit, integration and doc tests only
	@tools/test.sh quick

lint: ## format, clippy, documentation
	@tools/test.sh lint

dist: ## the files of a release in target/dist: sources, list of crates, bill of materials, checksums; DIST=--vendor: crates, too
	@tools/dist.sh $(DIST)

dist-check: ## the same twice, with another clock, umask and place: equal bytes
	@tools/dist.sh --vendor --check

deb: ## Debian packages in target/deb, compiled in a Debian 13 root without network, and linted
	@packaging/build-deb.sh --source target/deb

bench: ## instructions, bytes, syncs, sizes, crowds: ours beside libubootenv's and U-Boot's tools
	@tools/bench.sh

fuzz: ## every fuzz target for a minute; FUZZ_SECONDS=600 for longer (needs a nightly toolchain)
	@tools/fuzz.sh $(or $(FUZZ_SECONDS),60)

soak: ## millions of random power cuts on simulated media, thousands on disks and devices in QEMU; STATES=5000000 CUTS=2000
	BOOTSLOT_SOAK_STATES=$(or $(STATES),5000000) cargo test --locked --release --features sim --test power_cut -- \
		--ignored soak --nocapture
	cargo test --locked --release --all-features --test install -- --ignored soak --nocapture
	cargo test --locked --release --all-features --lib -- --ignored migrate::tests::soak --nocapture
	BOOTSLOT_SOAK_LIVES=$(or $(LIVES),100000) cargo test --locked --release --all-features --test life_power_cut \
		-- random_lives --nocapture
	BOOTSLOT_TROUBLES=3 cargo test --locked --release --all-features --test whole_machine -- --nocapture
	BOOTSLOT_UBOOT_CASES=all cargo test --locked --all-features --test uboot_script --test uboot_dialects \
		--test uboot_contrib --test uboot_cuts -- --ignored --nocapture
	ffi-tests/run.sh bigendian
	qemu/test-disk.sh --stores 250 --states 5000 --recovered 12
	qemu/test-device.sh
	qemu/test-device.sh --soak --cuts $(or $(CUTS),2000)

clean-cache: ## removes what the tests built and keep outside the checkout: tools, QEMU's root, kernel, U-Boot
	rm -rf "$${BOOTSLOT_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/bootslot}"
