# SPDX-License-Identifier: GPL-3.0-or-later
# One non-recursive Makefile. `make help` lists what it can do; layout and layers are in CONTRIBUTING.md.

VERSION := 0.1.0

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share/swapcal
MANDIR ?= $(PREFIX)/share/man

B := build
ifeq ($(origin CC),default)
CC := gcc
endif
MUSL_CC ?= musl-gcc
# Where it is, what was compiled before, in whatever directory, is not compiled again.
CCACHE := $(shell command -v ccache)
PKG_CONFIG ?= pkg-config
PKGS := libvirt libguestfs jansson sqlite3 yaml-0.1 libzstd libarchive nettle gsl libacl

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	-Wpointer-arith -Wwrite-strings -Wundef
CFLAGS ?= -O2 -g -D_FORTIFY_SOURCE=2
# Recursive, so that a target that needs no library (help, deps, clean) never runs pkg-config.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS)))$(PKG_CFLAGS)
# libcsv has no file for pkg-config.
PKG_LIBS = $(eval PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS)) -lcsv -lm)$(PKG_LIBS)
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -I. $(WARN) $(CFLAGS) -pthread -DSWAPCAL_VERSION='"$(VERSION)"'
GUEST_CFLAGS := -std=gnu11 -D_GNU_SOURCE -I. $(WARN) -Os -g0 -static -DSWAPCAL_VERSION='"$(VERSION)"'

SRC := $(filter-out harness/cmd/main.c,$(wildcard harness/*/*.c calibrate/*/*.c))
LIB_OBJ := $(patsubst %.c,$B/%.o,$(SRC)) $B/harness/image/embed.o
UNIT_TESTS := $(patsubst %.c,$B/%.t,$(wildcard tests/unit/*/*.c))
SIM_SRC := tests/sim/guest-sim.c
SIM_TESTS := $(patsubst %.c,$B/%.t,$(filter-out $(SIM_SRC),$(wildcard tests/sim/*.c)))
SYSTEM_TOOLS := $(patsubst %.c,$B/%,$(wildcard tests/system/*.c))
DOCS_TESTS := $(wildcard tests/docs/*.t)
STRUCTURE_TESTS := $(wildcard tests/structure/*.t) $(wildcard tests/golden/*.t)
WORKLOAD_TESTS := $(wildcard tests/workloads/*.t)
MEASURE_TESTS := $(wildcard tests/measure/*.t)
# Those that take longest come first, so that no processor has nothing to do at the end.
SYSTEM_TESTS := $(wildcard $(patsubst %,tests/system/%.t,kill slurm hostile methods first-light restore connections kernels \
	known-answers libvirtd-restart full-disk unattended frozen))
SYSTEM_TESTS += $(filter-out $(SYSTEM_TESTS),$(wildcard tests/system/*.t))
WORKLOADS := $(wildcard guest/workloads/*)

# Short lines unless V=1.
ifneq ($(V),1)
Q := @
say = @echo '  $1 $@'
endif

.DELETE_ON_ERROR:
.PHONY: all
all: swapcal ## build ./swapcal

swapcal: $B/harness/cmd/main.o $B/libswapcal.a
	$(call say,LD)
	$Q$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$B/libswapcal.a: $(LIB_OBJ)
	$(call say,AR)
	$Qrm -f $@ && $(AR) rcs $@ $^

# Tests themselves need not be fast where building them takes longer than running them.
$B/tests/%.o: ALL_CFLAGS += $(TEST_CFLAGS)

$B/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$Q$(CCACHE) $(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -ffile-prefix-map=$(CURDIR)=. -MMD -MP -c -o $@ $<
	$(if $(filter -fanalyzer,$(ALL_CFLAGS)),@touch $@.analyzed)

# That gcc's analyser has seen what an object is made of. It changes no code, so check-all, which needs both, builds with it.
ANALYZE :=
$B/harness/%.o $B/calibrate/%.o: ALL_CFLAGS += $(ANALYZE)
$B/%.o.analyzed: $B/%.o
	$(call say,ANALYZE)
	$Q$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -fanalyzer -c -o /dev/null $*.c
	@touch $@

.PHONY: analyzed
analyzed: $(SRC:%.c=$B/%.o.analyzed) $B/harness/cmd/main.o.analyzed

# The one object that knows where swapcal will be installed: made anew when that changes.
$B/harness/base/datadir.o $B/harness/base/datadir.o.analyzed: ALL_CFLAGS += -DSWAPCAL_DATADIR='"$(DATADIR)"'
$B/harness/base/datadir.o: $B/datadir
$B/datadir: FORCE
	@mkdir -p $(@D)
	@echo '$(DATADIR)' | cmp -s - $@ || echo '$(DATADIR)' > $@
.PHONY: FORCE

# The guest programs travel inside the host program, so the two can never differ.
$B/harness/image/embed.o: harness/image/embed.S $B/guest/agent/agent $B/guest/loads/ballast $B/guest/loads/known guest/interpreters.yaml
	@mkdir -p $(@D)
	$(call say,AS)
	$Q$(CC) -I. -DAGENT='"$B/guest/agent/agent"' -DBALLAST='"$B/guest/loads/ballast"' \
		-DKNOWN='"$B/guest/loads/known"' -DINTERPRETERS='"guest/interpreters.yaml"' -c -o $@ $<

$B/guest/agent/agent: $(wildcard guest/agent/*.[ch] guest/*.h)
	@mkdir -p $(@D)
	$(call say,MUSL)
	$Q$(MUSL_CC) $(GUEST_CFLAGS) -s -o $@ $(filter %.c,$^)

$B/guest/loads/ballast $B/guest/loads/known: $B/%: %.c guest/loads/fill.h guest/proto.h
	@mkdir -p $(@D)
	$(call say,MUSL)
	$Q$(MUSL_CC) $(GUEST_CFLAGS) -s -o $@ $<

# There are a hundred test programs, and gold links one in a third of the time.
GOLD := $(if $(shell command -v ld.gold),-fuse-ld=gold)
link = $(call say,LD)$(newline)$Q$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(GOLD) -o $@ $^ $(PKG_LIBS)
define newline


endef

$B/tests/unit/%.t: $B/tests/unit/%.o $B/libswapcal.a
	$(link)

$B/tests/sim/%.t: $B/tests/sim/%.o $(SIM_SRC:%.c=$B/%.o) $B/libswapcal.a
	$(link)

$B/tests/bench/bare: tests/bench/bare.c
	@mkdir -p $(@D)
	$(call say,MUSL)
	$Q$(MUSL_CC) $(GUEST_CFLAGS) -s -o $@ $<

$B/tests/bench/ramp $B/tests/bench/rejudge: %: %.o $B/libswapcal.a
	$(link)

# Only with clang (see checked-programs, fuzz-programs): another one has no LLVMFuzzerMutate.
$B/tests/fuzz/%: $B/tests/fuzz/%.o $(SIM_SRC:%.c=$B/%.o) $B/libswapcal.a
	$(link) -fsanitize=fuzzer

$B/tests/bench/evidence: $B/tests/bench/evidence.o $B/libswapcal.a
	$(link)

$B/tests/system/%: $B/tests/system/%.o $B/libswapcal.a
	$(link)

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS) $(SIM_TESTS)

.SECONDARY:
-include $(shell find $B -name '*.d' 2>/dev/null)

# --- Set-up

APT_GET := apt-get
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: deps
deps: ## install the Debian packages that are missing (see deps.list)
	@missing=; while read -r package why; do \
		case "$$package" in ''|'#'*) continue;; esac; \
		dpkg-query -W -f '$${db:Status-Status}' "$$package" 2>/dev/null | grep -qx installed && continue; \
		echo "deps: $$package: $$why"; missing="$$missing $$package"; \
	done < deps.list; \
	if [ -n "$$missing" ]; then \
		$(SUDO) $(APT_GET) -q update && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive $(APT_GET) -q install -y --no-install-recommends $$missing; \
	else echo "deps: nothing is missing"; fi

.PHONY: demo
demo: ## install, build, make the guest image, calibrate two guests, print the Y-versus-Z table
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory swapcal
	./swapcal image build bookworm
	@rm -f $B/demo.swapcal
	./swapcal run examples/first-light.yaml -o $B/demo.swapcal
	./swapcal report $B/demo.swapcal

MAN_PAGES := $(patsubst docs/%.pod,$B/man/%,$(wildcard docs/*.pod))

.PHONY: man
man: $(MAN_PAGES)

$B/man/%: docs/%.pod
	@mkdir -p $(@D)
	pod2man --name=$(shell echo $(basename $*) | tr a-z A-Z) --section=$(subst .,,$(suffix $*)) --center=swapcal \
		--release=$(VERSION) $< $@

.PHONY: install
install: swapcal man ## install below PREFIX (default /usr/local; DESTDIR is honoured)
	install -D -m 755 swapcal $(DESTDIR)$(BINDIR)/swapcal
	for f in vm-images/*.yaml guest/workloads/*.py guest/workloads/*.lua calibrate/metrics/*.sql examples/*.yaml examples/*.csv; do \
		install -D -m 644 $$f $(DESTDIR)$(DATADIR)/$$f || exit 1; done
	for f in contrib/slurm/*.sh; do install -D -m 755 $$f $(DESTDIR)$(DATADIR)/$$f || exit 1; done
	install -D -m 644 contrib/slurm/README.md $(DESTDIR)$(DATADIR)/contrib/slurm/README.md
	for f in $(MAN_PAGES); do \
		install -D -m 644 $$f $(DESTDIR)$(MANDIR)/man$${f##*.}/$${f##*/} || exit 1; done

# --- Tests: all speak TAP and run through prove, so that a run of nothing fails

PROVE := prove --exec ''
NPROC := $(shell nproc)

.PHONY: check
check: swapcal $(UNIT_TESTS) $(SIM_TESTS) ## unit, simulation, workload, measure and docs tests: no root, no image, under a minute
	$(PROVE) --jobs 2 $(UNIT_TESTS) $(SIM_TESTS) $(WORKLOAD_TESTS) $(DOCS_TESTS) $(STRUCTURE_TESTS)
	$(PROVE) $(MEASURE_TESTS)

.PHONY: check-system
check-system: swapcal $(SYSTEM_TOOLS) ## tests with real guests (makes the image once)
	$(PROVE) --verbose --jobs 2 $(SYSTEM_TESTS)

.PHONY: check-compile
check-compile: ## clang, analysers, unit tests and fuzz targets under sanitizers
	$(PROVE) --verbose tests/compile/*.t

# Programs under sanitizers: one build for all that is checked while it runs, fuzz targets too. To fuzz takes another, in which they see
# each comparison; that makes tests slow.
SANITIZE := -O1 -gline-tables-only -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
sanitized = @$(MAKE) -s --no-print-directory B=$(1) CC=clang CFLAGS='$(SANITIZE) $(2)'
CHECKED_B := $B/checked
FUZZ_B := $B/fuzz
# Seconds for each target.
FUZZ_SECONDS ?= 30
FUZZ_TARGETS := $(basename $(notdir $(wildcard tests/fuzz/*.c)))

.PHONY: checked-programs
checked-programs:
	$(call sanitized,$(CHECKED_B)) TEST_CFLAGS=-O0 $(FUZZ_TARGETS:%=$(CHECKED_B)/tests/fuzz/%) unit-tests $(CHECKED_B)/harness/cmd/main.o \
		$(SYSTEM_TOOLS:$B/%=$(CHECKED_B)/%)

.PHONY: fuzz-programs
fuzz-programs:
	$(call sanitized,$(FUZZ_B),-fsanitize=fuzzer-no-link) $(FUZZ_TARGETS:%=$(FUZZ_B)/tests/fuzz/%)

.PHONY: fuzz
fuzz: fuzz-programs ## hostile input, FUZZ_SECONDS (30) for each reader of any
	@tests/fuzz/run.sh $(FUZZ_B) $(FUZZ_SECONDS) $(FUZZ_TARGETS)

.PHONY: check-layers
check-layers: ## includes go to lower floors only, each library to its rooms (tests/structure/layers.list)
	@sh tests/structure/layers.sh

.PHONY: check-cycles
check-cycles: $B/libswapcal.a ## no files need one another in a circle, as the linker sees it
	@perl tests/structure/cycles.pl $(LIB_OBJ)

# Tests that need no guest, and compilers, beside those with guests: three of which run at a time, for a guest often waits.
.PHONY: check-all check-here check-guests
check-all: ## install what is missing, build, run every test
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j$(NPROC) TEST_CFLAGS=-O1 ANALYZE=$(if $(filter gcc,$(CC)),-fanalyzer) \
		swapcal $(UNIT_TESTS) $(SIM_TESTS) $(SYSTEM_TOOLS)
	@$(MAKE) --no-print-directory -j2 -k check-here check-guests

check-here:
	$(PROVE) --timer $(MEASURE_TESTS) $(wildcard tests/compile/*.t) $(WORKLOAD_TESTS) $(UNIT_TESTS) $(SIM_TESTS) $(DOCS_TESTS) $(STRUCTURE_TESTS)

check-guests:
	$(PROVE) --timer --jobs 3 $(SYSTEM_TESTS)

.PHONY: bench
bench: swapcal $(addprefix $B/tests/bench/,ramp bare evidence rejudge) ## what a probe costs (boot, restore, bare QEMU), a second job brings, a snapshot and judging again cost
	tests/bench/probe.sh
	tests/bench/jobs.sh
	tests/bench/evidence.sh
	tests/bench/rejudge.sh

# Includes and the like that only a build knows, for editors and language servers.
compile_commands.json: Makefile ## how each file is compiled, for editors and clang tools
	@printf '%s\n' $(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) | jq -R . | jq -s . > $@.flags
	@printf '%s\n' $(SRC) harness/cmd/main.c $(wildcard tests/*/*.c tests/unit/*/*.c) | jq -R . | \
		jq --slurpfile flags $@.flags --arg dir '$(CURDIR)' \
		'{directory: $$dir, file: ., arguments: ($$flags[0] + ["-c", .])}' | jq -s . > $@
	@rm $@.flags

COVERAGE_B := $B/coverage

.PHONY: coverage
coverage: ## which share of the lines unit tests and simulations run
	@$(MAKE) -s --no-print-directory -j$(NPROC) B=$(COVERAGE_B) CC=gcc CFLAGS='-O0 -g --coverage' unit-tests
	@find $(COVERAGE_B) -name '*.gcda' -delete
	$(PROVE) --jobs $(NPROC) $(patsubst $B/%,$(COVERAGE_B)/%,$(UNIT_TESTS) $(filter-out %/designs.t,$(SIM_TESTS)))
	@gcovr --root . --filter harness/ --filter calibrate/ --sort-uncovered $(COVERAGE_B)

FORMATTED = $(shell git ls-files '*.[ch]' | grep -v '^tests/data/')

.PHONY: format
format: ## lay out the C code as .clang-format says
	@clang-format -i $(FORMATTED)

.PHONY: check-format
check-format: ## is the C code laid out as `make format` would?
	@clang-format --dry-run -Werror $(FORMATTED)

.PHONY: designs
designs: $B/tests/sim/designs.t ## the search for Z* beside simpler designs: the table of swapcal-statistics(7)
	@$< --table 1000

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z_.-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r t d; do \
		printf '  %-22s %s\n' "$$t" "$$d"; done

.PHONY: clean
clean: ## remove what was built (not the image cache)
	rm -rf $B swapcal
