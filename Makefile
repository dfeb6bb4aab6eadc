# holdfast: build, test and look at it work.
#
#   make demo     two directors, a router, two realservers, traffic; the MASTER dies
#   make test     all tests, in some 20 minutes: make test-quick, some three, and make test-slow
#   make bench    failover, handover, load and scale of holdfast and keepalived, side by side, in some 20 minutes
#                 (BENCHARGS="-quick" for a look, "-only failover/cut" for some rows, "-before BINARY" to compare with
#                 another build of holdfast, "-h" for more)
#   make packages   a .deb and an .rpm in packages/
#   make soak     what is too slow for make ci: long fuzzing, chaos for twenty minutes, BFD on a busy machine, fast failover for half an hour, ten million simulated seconds
#
# Test peers and User Mode Linux are fetched into a cache folder ($HOLDFAST_CACHE, or else holdfast in the
# user's cache folder). Only `make install` installs anything on the machine.

SHELL := /bin/sh
.DEFAULT_GOAL := build

GO        ?= go
PREFIX    ?= /usr/local
DESTDIR   ?=
UNITDIR   ?= /etc/systemd/system
SYSUSERSDIR ?= /etc/sysusers.d
TMPFILESDIR ?= /etc/tmpfiles.d
NETWORKDIR ?= /etc/systemd/network
NMDIR     ?= /etc/NetworkManager/conf.d
DBUSDIR   ?= /etc/dbus-1/system.d
# Seconds for each fuzz target.
FUZZTIME  ?= 5
BENCHARGS ?=
# Without symbols and debug information the binary is a third smaller. Traces of a crash
# still name functions and lines. LDFLAGS= keeps both, for a debugger.
LDFLAGS   ?= -s -w
# TAGS=dbus adds [director.dbus] to the binary, which grows by half a megabyte.
TAGS      ?=

STATICCHECK_VERSION  := v0.8.2
GOLANGCILINT_VERSION := v2.15.0
NFPM_VERSION         := v2.43.0
OAPICODEGEN_VERSION  := v2.8.2
OAPIRUNTIME_VERSION  := v1.9.0
CYCLONEDX_VERSION    := v1.9.0

TOOLBIN      := $(shell integration/tools/install.sh --bin)
STATICCHECK  := $(TOOLBIN)/staticcheck-$(STATICCHECK_VERSION)
GOLANGCILINT := $(TOOLBIN)/golangci-lint-$(GOLANGCILINT_VERSION)
NFPM         := $(TOOLBIN)/nfpm-$(NFPM_VERSION)
OAPICODEGEN  := $(TOOLBIN)/oapi-codegen-$(OAPICODEGEN_VERSION)
CYCLONEDX    := $(TOOLBIN)/cyclonedx-gomod-$(CYCLONEDX_VERSION)

# Without the checkout's folder in it, what was compiled in one checkout serves in another.
export GOFLAGS += -trimpath
# `make lint` vets.
GOTEST = $(GO) test -count=1 -vet=off
# The race detector needs a C compiler. All else is compiled without one, as the daemon is.
RACE := $(if $(shell command -v cc),-race)
GOTESTRACE = $(if $(RACE),CGO_ENABLED=1) $(GOTEST) $(RACE)
export CGO_ENABLED = 0
# It does not run inside User Mode Linux, and it slows tests in namespaces and browsers too much.
SLOW  = $(shell $(GO) list ./lvs/ipvs/... ./integration/... ./cmd/internal/web/browser)
# It has nothing to find where no goroutine is started, and these packages compute much. conf starts one for a
# configuration that hangs (-run Context).
PURE  = $(shell $(GO) list ./conf/... ./docs/... ./lvs ./vrrp)
QUICK = $(filter-out $(SLOW) $(PURE),$(shell $(GO) list ./...))
# The packages that are others with the tag dbus.
DBUS  = ./cmd/internal/dbus ./cmd/internal/director ./cmd/holdfast

.PHONY: build
build:
	$(GO) build -ldflags "$(LDFLAGS)" -tags "$(TAGS)" -o bin/holdfast ./cmd/holdfast

.PHONY: tools
tools:
	@integration/tools/install.sh

.PHONY: test
test: tools
	$(MAKE) test-quick
	$(MAKE) test-slow

.PHONY: test-quick
test-quick: tools
	$(GOTESTRACE) $(QUICK)
	$(GOTESTRACE) -tags dbus $(DBUS)
	$(GOTESTRACE) -run Context ./conf
	$(GOTEST) $(PURE)
	HOLDFAST_REQUIRE="$$HOLDFAST_REQUIRE,capabilities" $(GOTEST) -run Capabilities ./cmd/internal/program
	$(GOTEST) -tags plainwait ./netdev/port

# They watch the clock, and so one package has the machine at a time.
.PHONY: test-slow
test-slow: tools build $(NFPM)
	$(GOTEST) -p 1 -timeout 20m $(SLOW)

.PHONY: demo
demo: tools build
	@$(GO) build -o bin/demo ./integration/demo
	@bin/demo

.PHONY: bench
bench: tools build
	@$(GO) build -o bin/bench ./integration/bench
	@bin/bench -out bench $(BENCHARGS)

.PHONY: fuzz
fuzz:
	@GO="$(GO)" integration/tools/fuzz.sh $(FUZZTIME)

.PHONY: lint
lint: tools golangci-lint
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt: $$unformatted"; exit 1; fi
	@if [ -x $(TOOLBIN)/shellcheck ]; then $(TOOLBIN)/shellcheck integration/tools/*.sh integration/packages/*.sh findings/*.sh cmd/holdfast/package/*.sh .ci/run; fi
	$(GO) vet -tags plainwait ./netdev/port
	@if [ -x $(GOLANGCILINT) ]; then $(GOLANGCILINT) run && $(GOLANGCILINT) run --build-tags dbus $(DBUS); \
	else $(MAKE) lint-without-golangci; fi

# golangci-lint has go vet and staticcheck in it.
.PHONY: lint-without-golangci
lint-without-golangci: $(STATICCHECK)
	$(GO) vet ./...
	$(GO) vet -tags dbus $(DBUS)
	$(STATICCHECK) ./...
	$(STATICCHECK) -tags dbus $(DBUS)

# Each linter is kept under its version, so another version is fetched anew.
$(STATICCHECK):
	GOBIN=$(TOOLBIN) $(GO) install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	@mv $(TOOLBIN)/staticcheck $@

# A generator of clients accepts the description of the API, and its client compiles.
.PHONY: openapi-client
openapi-client: $(OAPICODEGEN)
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && mkdir "$$dir/client" && \
	$(OAPICODEGEN) -generate types,client -package client docs/openapi.json >"$$dir/client/client.go" && \
	cd "$$dir" && $(GO) mod init client && $(GO) get github.com/oapi-codegen/runtime@$(OAPIRUNTIME_VERSION) && \
	$(GO) mod tidy && $(GO) build ./...

$(OAPICODEGEN):
	GOBIN=$(TOOLBIN) $(GO) install github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@$(OAPICODEGEN_VERSION)
	@mv $(TOOLBIN)/oapi-codegen $@

$(NFPM):
	GOBIN=$(TOOLBIN) $(GO) install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION)
	@mv $(TOOLBIN)/nfpm $@

$(CYCLONEDX):
	GOBIN=$(TOOLBIN) $(GO) install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_VERSION)
	@mv $(TOOLBIN)/cyclonedx-gomod $@

.PHONY: golangci-lint
golangci-lint:
	@[ -x $(GOLANGCILINT) ] || { \
		echo "golangci-lint $(GOLANGCILINT_VERSION): compiling, once"; \
		GOBIN=$(TOOLBIN) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCILINT_VERSION) && \
		mv $(TOOLBIN)/golangci-lint $(GOLANGCILINT); } || \
		echo "golangci-lint: could not be compiled; linting goes on without it"

.PHONY: ci
ci: export HOLDFAST_REQUIRE = netns,ipvs,uml,web,packages
ci: export HOLDFAST_UML = always
ci: tools golangci-lint
	$(MAKE) test-quick
# The slow tests wait half of their time.
	integration/tools/beside.sh "$(MAKE) lint fuzz" $(MAKE) test-slow

.PHONY: soak
soak: tools build
	$(GO) test -count=1 -timeout 1h -run 'TestShowBriefRandomWalk' ./conf -brief.steps=2000
	$(GO) test -count=1 -timeout 2h -run 'TestLAN$$' ./vrrp -lan.seconds=10000000
	$(GO) test -count=1 -timeout 2h -run 'TestFastLAN$$' ./vrrp -lan.fastseconds=1000000
	$(GO) test -count=1 -timeout 1h -run 'TestChaos$$|TestEndurance' ./integration -chaos.seconds=600
	$(GO) test -count=1 -timeout 30m -run 'TestChaos$$' ./integration -chaos.seconds=600 -chaos.fast=true
	$(GO) test -count=1 -timeout 30m -run 'TestBFDUnderHogs$$' ./integration -bfd.seconds=300
	$(GO) test -count=1 -timeout 50m -run 'TestFastCalm$$' ./integration -fast.idle=30m -fast.busy=5m
	$(GO) test -count=1 -timeout 40m -run 'TestEndurance' ./checker -endurance.seconds=1800
	HOLDFAST_ROUNDS=20 $(GO) test -count=1 -timeout 30m -run 'TestUpgradeOfMany$$' ./integration -upgrade.storm
	$(MAKE) openapi-client
	$(GO) test -count=1 -timeout 50m -run 'TestSideBySide$$' ./integration ./integration/ipvs -sidebyside.all
	$(GO) test -count=1 -timeout 10m -run 'TestConvertedMonSamples' ./integration -mon.all
	$(GO) test -count=1 -timeout 30m -run 'TestConnectionsSurvive$$' ./integration/ipvs -survive.connections=480
	$(GO) test -count=1 -timeout 30m -v -run 'TestFirstLoad$$' ./integration/ipvs -load.services=1000
	$(MAKE) fuzz FUZZTIME=300

# A .deb, an .rpm and a bill of materials (CycloneDX) in packages/. The same commit gives the
# same bytes. VERSION= names a release.
.PHONY: packages
packages: $(NFPM) $(CYCLONEDX)
	GO="$(GO)" TAGS="$(TAGS)" LDFLAGS="$(LDFLAGS)" VERSION="$(VERSION)" cmd/holdfast/package/build.sh $(NFPM) $(CYCLONEDX) packages

.PHONY: install
install: build
	install -D -m 755 bin/holdfast $(DESTDIR)$(PREFIX)/sbin/holdfast
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|/usr/local/sbin|$(PREFIX)/sbin|' cmd/holdfast/holdfast.service > $(DESTDIR)$(UNITDIR)/holdfast.service
	sed 's|/usr/local/sbin|$(PREFIX)/sbin|' "cmd/holdfast/holdfast-realserver@.service" > "$(DESTDIR)$(UNITDIR)/holdfast-realserver@.service"
	install -D -m 644 cmd/holdfast/package/sysusers.conf $(DESTDIR)$(SYSUSERSDIR)/holdfast.conf
	install -D -m 644 cmd/holdfast/package/tmpfiles.conf $(DESTDIR)$(TMPFILESDIR)/holdfast.conf
	install -D -m 644 cmd/holdfast/networkd.network $(DESTDIR)$(NETWORKDIR)/00-holdfast.network
	install -D -m 644 cmd/holdfast/networkmanager.conf $(DESTDIR)$(NMDIR)/holdfast.conf
# The unit runs the daemon as the user holdfast.
ifeq ($(DESTDIR),)
	-systemd-sysusers $(SYSUSERSDIR)/holdfast.conf && systemd-tmpfiles --create $(TMPFILESDIR)/holdfast.conf
endif
ifneq ($(filter dbus,$(TAGS)),)
	install -D -m 644 cmd/holdfast/org.keepalived.Vrrp1.conf $(DESTDIR)$(DBUSDIR)/org.keepalived.Vrrp1.conf
endif

.PHONY: clean
clean:
	rm -rf bin bench packages
