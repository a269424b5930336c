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
PKG_CONFIG ?= pkg-config
PKGS := libvirt libguestfs jansson sqlite3 yaml-0.1 libzstd libarchive nettle

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	-Wpointer-arith -Wwrite-strings -Wundef
CFLAGS ?= -O2 -g
# Recursive, so that a target that needs no library (help, deps, clean) never runs pkg-config.
PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(PKGS))
PKG_LIBS = $(shell $(PKG_CONFIG) --libs $(PKGS))
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -I. $(WARN) $(CFLAGS) -pthread \
	-DSWAPCAL_VERSION='"$(VERSION)"' -DSWAPCAL_DATADIR='"$(DATADIR)"'
GUEST_CFLAGS := -std=gnu11 -D_GNU_SOURCE -I. $(WARN) -Os -g0 -static -DSWAPCAL_VERSION='"$(VERSION)"'

BASE_SRC := $(wildcard harness/base/*.c)
CALIBRATE_SRC := $(wildcard calibrate/*.c)
HARNESS_SRC := $(filter-out harness/main.c,$(wildcard harness/*.c))
LIB_OBJ := $(patsubst %.c,$B/%.o,$(BASE_SRC) $(CALIBRATE_SRC) $(HARNESS_SRC)) $B/harness/embed.o
UNIT_TESTS := $(patsubst %.c,$B/%.t,$(wildcard tests/unit/*.c))
SIM_TESTS := $(patsubst %.c,$B/%.t,$(filter-out tests/sim/guest-sim.c,$(wildcard tests/sim/*.c)))
SYSTEM_TOOLS := $(patsubst %.c,$B/%,$(wildcard tests/system/*.c))
DOCS_TESTS := $(wildcard tests/docs/*.t)
SYSTEM_TESTS := $(wildcard tests/system/*.t)
WORKLOADS := $(wildcard guest/workloads/*)

.DELETE_ON_ERROR:
.PHONY: all
all: swapcal

swapcal: $B/harness/main.o $B/libswapcal.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$B/libswapcal.a: $(LIB_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$B/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

# The guest programs travel inside the host program, so the two can never differ.
$B/harness/embed.o: harness/embed.S $B/guest/agent $B/guest/ballast
	@mkdir -p $(@D)
	$(CC) -I. -DAGENT='"$B/guest/agent"' -DBALLAST='"$B/guest/ballast"' -c -o $@ $<

$B/guest/agent: $(wildcard guest/agent*.c guest/*.h)
	@mkdir -p $(@D)
	$(MUSL_CC) $(GUEST_CFLAGS) -s -o $@ $(filter %.c,$^)

$B/guest/ballast: guest/ballast.c
	@mkdir -p $(@D)
	$(MUSL_CC) $(GUEST_CFLAGS) -s -o $@ $<

$B/tests/unit/%.t: $B/tests/unit/%.o $B/libswapcal.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$B/tests/sim/%.t: $B/tests/sim/%.o $B/tests/sim/guest-sim.o $B/libswapcal.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm

$B/tests/system/%: $B/tests/system/%.o $B/libswapcal.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

.SECONDARY:
-include $(shell find $B -name '*.d' 2>/dev/null)

.PHONY: clean
clean:
	rm -rf $B swapcal
