# Everything a developer runs; .ci/run runs the same targets. Needs Go and make (race also a C
# compiler, arm64 also qemu-aarch64-static where the machine is no arm64). "make help" lists them.

# The product is one static binary.
export CGO_ENABLED = 0

# The tags of all builds and tests. With nodynamic the program decodes AVIF, HEIC and JPEG XL itself.
# To leave them out: make build TAGS=
TAGS = nodynamic
export GOFLAGS := $(GOFLAGS) -tags=$(TAGS)

GO      = go
TOOL    = $(GO) tool -modfile=tools/go.mod
EXE     = $(shell $(GO) env GOEXE)

# What a user may set: make demo TIME=10m, make test RUN=Conv PKG=./kernels, …
TIME     = 5m
DEMO     = runs/demo
SAMPLES  = samples.png
PKG      = ./...
RUN      = .
BENCH    = .
COUNT    = 1
FUZZTIME = 10000x
FUZZSLOW = $(FUZZTIME)
KILLS    = 100

# For make peer and make golden: a checkout of torchcfm, interpreters that may have PyTorch. For make
# peer alone: rounds in turn, and flags (PEER='-threads 2 -work 64-rgb-64').
CFM     ?=
PYTHONS  = python3 /usr/bin/python3
ROUNDS   = 3
PEER     =

# For make peer-quality, which needs SciPy too: minutes that PyTorch trains for (whole ones),
# threads of both, where it all goes, and flags of torch_train.py (TORCH='--compile
# --channels-last'). The first of PYTHONS runs it.
MINUTES  = 30
THREADS  = 2
QUALITY  = runs/quality
TORCH    =

# For make quality: minutes of the runs, and flags of fmimg eval. Both it and peer-quality add to
# ROWS what they measure, which make quality-chart draws into CHART.
QUALITY_MINUTES = 1 3 10
EVAL     = --count 2000 --quick
ROWS     = docs/quality.jsonl
CHART    = docs/quality.png

# For make evaluations: flags of fmimg eval.
NFE      = --count 2000 --quick

# The packages whose code depends on the architecture, or whose numbers might.
PORTABLE = ./asm/... ./kernels/... ./safetensors/... ./nn/... ./unet/... ./metrics/... ./ode/... ./flow/... ./bijection/... ./realnvp/... ./toy/... ./dataset/...
# Of the classifier, its network: training it would take an emulator many minutes.
CLASSIFIER = ^Test(Gradient|Forward|ISAsAgree|CrossEntropy|Predict)

# The packages that call assembly, and those whose tests compare instruction sets.
ASSEMBLED = ./asm/... ./kernels/... ./nn/... ./unet/... ./realnvp/... ./metrics/...

PLATFORMS = linux/amd64 linux/arm64 darwin/arm64 windows/amd64 linux/386 js/wasm

# Other architectures' tests run under an emulator, which is slow: it leaves out some shapes. An arm64
# machine needs none.
QEMU = $(if $(filter arm64,$(shell $(GO) env GOHOSTARCH)),,-short -timeout 40m -exec qemu-aarch64-static)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

# Without the tables that debuggers and perf read, which are a quarter of it. Stack traces and
# profiles of pprof keep names.
.PHONY: build
build: ## build ./fmimg, a static binary
	$(GO) build -ldflags='-s -w' -o fmimg$(EXE) ./cmd/fmimg

# It loads a library of MPI when it starts as a rank, so it is not static. docs/cluster.md says more.
.PHONY: mpi
mpi: ## build ./fmimg-mpi, which trains over many machines (Linux on amd64 and arm64)
	$(GO) build -tags mpi,$(TAGS) -ldflags='-s -w' -o fmimg-mpi ./cmd/fmimg

# A run that is there goes on to TIME, which may be longer than it was. To start again: rm -r
# runs/demo
.PHONY: demo
demo: build ## train on MNIST for TIME (5m) and draw samples.png
	@if [ -e $(DEMO)/state.safetensors ]; then \
		set -x; ./fmimg$(EXE) train --out $(DEMO) --resume --time $(TIME); \
	else \
		set -x; ./fmimg$(EXE) train --data mnist --time $(TIME) --out $(DEMO); \
	fi
	./fmimg$(EXE) generate --model $(DEMO) --grid 8x8 --out $(SAMPLES)

# On one instruction set the same command writes the same bytes; pipeline/classify/mnist/README.md
# says what came out.
.PHONY: classifier
classifier: build ## train the embedded classifier of MNIST again (some minutes)
	./fmimg$(EXE) classifier --data mnist --epochs 6 --seed 1 --isa avx2 --out pipeline/classify/mnist/classifier.safetensors

.PHONY: judges
judges: build ## train the other embedded judges of MNIST again (some minutes)
	./fmimg$(EXE) classifier --data mnist --kind pooled --epochs 4 --seed 2 --lr 0.002 --shift 3.5 --rotate 6 --scale 0.2 --shear 0.3 --isa avx2 --out pipeline/judge/mnist/pooled.safetensors
	./fmimg$(EXE) classifier --data mnist --kind deep --epochs 4 --seed 3 --shift 1.5 --rotate 20 --scale 0.08 --shear 0 --smoothing 0 --isa avx2 --out pipeline/judge/mnist/deep.safetensors
	$(GO) run pipeline/judge/mnist/self.go

# The model that is part of the program; the same tensors on every CPU with AVX2.
.PHONY: model
model: build ## train the model of digits that is part of the program (an hour or more), into models/mnist
	@set -x; if [ -e runs/model/state.safetensors ]; then ./fmimg$(EXE) train --out runs/model --resume; else \
		./fmimg$(EXE) train --data mnist --steps 12000 --seed 1 --isa avx2 --out runs/model; fi
	./fmimg$(EXE) model export runs/model --float16 --out models/mnist/model.safetensors
	./fmimg$(EXE) model export runs/model/guide.safetensors --float16 --out models/mnist/guide.safetensors

# The student of that model; the same tensors on every CPU with AVX2, from the same teacher.
.PHONY: fast-model
fast-model: build ## distil mnist into mnist-fast, which is part of the program too (an hour or more), into models/mnist-fast
	@set -x; if [ -e runs/fast-model/state.safetensors ]; then ./fmimg$(EXE) distill --out runs/fast-model --resume; else \
		./fmimg$(EXE) distill --model mnist --steps 5000 --guidance 1.15 --jump-weight 0.25 --on-policy 1 --teacher-solver adams2 --teacher-steps 12 --seed 1 --isa avx2 --out runs/fast-model; fi
	./fmimg$(EXE) model export runs/fast-model --float16 --out models/mnist-fast/model.safetensors

# The model of pictures that is part of the program; the same tensors on every CPU with AVX-512. The
# emoji are from a package of npm.
TWEMOJI = emoji-datasource-twitter@16.0.0
.PHONY: picture-model
picture-model: build ## train the model of pictures that is part of the program (most of an hour; needs npm), into models/emoji
	@set -x; if [ -e runs/picture-model/state.safetensors ]; then ./fmimg$(EXE) train --out runs/picture-model --resume; else \
		mkdir -p runs/twemoji && tar -xzf runs/$$(npm pack --silent --pack-destination runs $(TWEMOJI)) --strip-components=1 -C runs/twemoji && \
		./fmimg$(EXE) train --data runs/twemoji/img/twitter/64 --size 32 --flip --steps 9000 --seed 1 --isa avx512 --out runs/picture-model; fi
	./fmimg$(EXE) model export runs/picture-model --float16 --out models/emoji/model.safetensors

.PHONY: pictures
pictures: build ## draw docs/samples.png, a row of each class, ways from noise, digits by one evaluation, and emoji, with the models of the program
	./fmimg$(EXE) generate --model mnist --grid 8x8 --scale 2 --out docs/samples.png
	./fmimg$(EXE) generate --model mnist --class 0-9 --guidance 1.5 --scale 2 --out docs/classes.png
	./fmimg$(EXE) generate --model mnist --class 0-4 --strip 9 --guidance 1.5 --steps 16 --scale 2 --out docs/strip.png
	./fmimg$(EXE) generate --model mnist --grid 1x8 --steps 16 --scale 2 --out docs/flow.gif
	./fmimg$(EXE) generate --model mnist-fast --steps 1 --grid 8x8 --scale 2 --out docs/fast.png
	./fmimg$(EXE) generate --model emoji --grid 5x12 --scale 2 --out docs/emoji.png

.PHONY: theory
theory: build ## draw the figures of docs/theory.md
	$(GO) -C tools/theory run . -out ../../docs
	./fmimg$(EXE) edit inpaint --model mnist --data mnist --index 0,1,2,3,4,5,6,7 --mask lower --class none --out docs/inpaint.png

.PHONY: compare
compare: build ## draw docs/compare.png: five ways to learn a distribution (some minutes)
	./fmimg$(EXE) compare --data checkerboard --out docs/compare.png

# What the page shares with the page of the server, which has its own way to serve them.
SHARED = base.css controls.css draw.css dom.js gallery.js theme.js units.js way.js icon.svg

# The page of GitHub Pages, or of any server of files. gzip -n writes neither a name nor a time.
SITE = site

.PHONY: wasm
wasm: ## build the page that draws digits without a server, into site/
	rm -rf '$(SITE)' && mkdir '$(SITE)'
	cp web/files/* $(SHARED:%=serve/page/files/%) "$$($(GO) env GOROOT)/lib/wasm/wasm_exec.js" '$(SITE)'
	cp models/mnist-fast/model.safetensors '$(SITE)/mnist-fast.safetensors'
	GOOS=js GOARCH=wasm $(GO) build -trimpath -ldflags='-s -w' -o '$(SITE)/fmimg.wasm' ./web/wasm
	gzip -9n < '$(SITE)/fmimg.wasm' > '$(SITE)/fmimg.wasm.gzip' && rm '$(SITE)/fmimg.wasm'

# Of a clean clone of a commit with a tag, it is a release: the programs take their version from git.
# RELEASED='-platforms linux/amd64' builds less.
RELEASED ?=

.PHONY: release
release: ## build archives, Debian packages and images of all platforms, an SBOM and checksums, into dist/release
	$(GO) -C tools/release run . -repo '$(CURDIR)' -out '$(CURDIR)/dist/release' $(RELEASED)

# The second clone has another path and compiles everything again.
.PHONY: reproduce
reproduce: ## build a release of HEAD in two clones, for linux/amd64, and compare all bytes
	$(GO) -C tools/release test ./...
	@set -e; folder=$$(mktemp -d); trap 'chmod -R u+w "$$folder"; rm -rf "$$folder"' EXIT; set -x; \
	$(GO) -C tools/release build -o "$$folder/release" .; \
	git clone -q . "$$folder/one"; git clone -q . "$$folder/another one"; \
	"$$folder/release" -repo "$$folder/one" -out "$$folder/a" -platforms linux/amd64; \
	GOCACHE="$$folder/cache" "$$folder/release" -repo "$$folder/another one" -out "$$folder/b" -platforms linux/amd64; \
	diff -r "$$folder/a" "$$folder/b"; cd "$$folder/a"; sha256sum -c SHA256SUMS

ONNXRUNTIME_WEB = 1.30.0

.PHONY: web-peer
web-peer: ## measure the page of make wasm beside onnxruntime-web, in Chromium (needs npm and its package index)
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	npm install --silent --prefix "$$folder" onnxruntime-web@$(ONNXRUNTIME_WEB); \
	FMIMG_TEST_ORT="$$folder/node_modules/onnxruntime-web/dist" $(GO) test -count 1 -v -run '^TestPeer$$' ./web

.PHONY: man
man: build ## write the man pages into man/
	./fmimg$(EXE) man man

.PHONY: test
test: ## run all tests, on every instruction set of this machine
	@$(TOOL) gotestsum --format pkgname -- -timeout 30m -run '$(RUN)' $(PKG)

# The packages above those of ASSEMBLED see instruction sets as values alone: make test has them
# draw and train with plain Go too. Without assembly, which is 20 times slower, their examples are
# enough. Both tags leave out the same files, so of the other one the lowest packages are enough.
.PHONY: noasm
noasm: ## run the tests without assembly (both build tags that leave it out)
	$(GO) test -short -tags noasm,$(TAGS) $(ASSEMBLED)
	$(GO) test -short -tags noasm,$(TAGS) -run '^Example' . ./pipeline/...
	$(GO) test -short -tags purego,$(TAGS) ./asm ./kernels

# Micro-kernels and operations start no goroutines, and the race detector would make the sweeps of
# their tests last for minutes. The Go loops of asm stand for assembly, which the detector does not
# see either: watched, they take most of the time. Those of kernels are watched in the tests of the
# packages that call them on several goroutines, and not in those of packages above, where they take
# half of the time. archtest builds the whole module.
UNWATCHED   = -race=false -d=checkptr=0
RACE        = CGO_ENABLED=1 $(GO) test -race -short -timeout 30m -gcflags='github.com/fmimg/fmimg/asm=$(UNWATCHED)'
RACE_NEAR   = ./nn/... ./unet/... ./realnvp/... ./metrics/... ./internal/crew
RACE_ABOVE  = $$($(GO) list ./... | grep -vE '/fmimg/(asm|kernels|nn|unet|realnvp|metrics|internal/(archtest|crew))(/|$$)')

.PHONY: race
race: ## run all packages but the kernels under the race detector
	$(RACE) $(RACE_NEAR)
	$(RACE) -gcflags='github.com/fmimg/fmimg/kernels=$(UNWATCHED)' $(RACE_ABOVE)

# These tests start ranks by mpirun and mpiexec. Without a library they say that they skip it.
.PHONY: test-mpi
test-mpi: ## run the tests of ranks under Open MPI and MPICH (Debian: openmpi-bin, mpich)
	@$(TOOL) gotestsum --format testname -- -count 1 -timeout 30m -tags mpi,$(TAGS) ./cluster
	@$(TOOL) gotestsum --format testname -- -count 1 -timeout 30m -tags mpi,$(TAGS) -run '^TestMPI' ./cmd/fmimg

# $(call with_python,PACKAGES,VARIABLE,COMMAND) runs a command that finds in a variable the path of a
# Python with packages from Python's package index, in an environment of its own. Without python3 it
# says that it skips.
with_python = @if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then \
		echo 'SKIPPED: there is no python3 with venv'; \
	else \
		set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
		python3 -m venv "$$folder/python"; "$$folder/python/bin/pip" install -q $(foreach package,$(1),'$(package)'); \
		$(2)="$$folder/python/bin/python" $(3); \
	fi

.PHONY: serve-clients
serve-clients: ## try the server by the Python client that OpenAI publishes (needs python3 and its package index)
	$(call with_python,openai==3.*,FMIMG_TEST_OPENAI,$(GO) test -count 1 -v -run '^TestOpenAIClient$$' ./serve)

# Tests that other programs compute the same, and the commands of docs/travel.md.
TRAVEL = $(GO) test -count 1 -timeout 30m -v -run 'ONNXRuntime|Diffusers|GuidedDiffusion|TravelPage' ./pipeline/convert ./cmd/fmimg

.PHONY: travel
travel: ## compare models with onnxruntime, PyTorch and diffusers, both ways (needs python3 and its package index)
	$(call with_python,onnx==1.* onnxruntime==1.* torch==2.* diffusers==0.* torchcfm==1.*,FMIMG_TEST_TRAVEL,$(TRAVEL))

.PHONY: round-trip
round-trip: ## run the commands of docs/travel.md, with the packages that the first of PYTHONS has
	FMIMG_TEST_TRAVEL='$(firstword $(PYTHONS))' $(GO) test -count 1 -v -run '^TestTravelPage$$' ./cmd/fmimg

# It trains for a few hundred steps, so that there is a curve to see.
.PHONY: serve-pictures
serve-pictures: build ## draw docs/serve-draw.png and docs/serve-runs.png: the page in Chromium (some minutes)
	FMIMG_TEST_PAGE_PICTURES='$(CURDIR)/docs' FMIMG_TEST_PROGRAM='$(CURDIR)/fmimg$(EXE)' \
		$(GO) test -count 1 -timeout 40m -v -run '^TestPictures$$' ./serve/page

# The Cortex-A72 has ARMv8.0: code that needs more stops there.
.PHONY: arm64
arm64: ## run the tests that depend on the architecture on arm64
	GOARCH=arm64 $(GO) test $(QEMU) $(PORTABLE)
	GOARCH=arm64 $(GO) test $(QEMU) -run '$(CLASSIFIER)' ./pipeline/classify
ifneq ($(QEMU),)
	GOARCH=arm64 $(GO) test -short -timeout 40m -exec 'qemu-aarch64-static -cpu cortex-a72' ./asm ./kernels
endif

# The tests of instruction sets that this machine lacks, on an emulated Sapphire Rapids: AVX-512 and
# AMX. It needs Linux on amd64 and Debian's apt-get. Flags: EMULATE='-isa avx512 -run Conv ./kernels'
EMULATE =

.PHONY: emulate
emulate: ## run the tests of x86 instruction sets that this machine lacks on an emulated CPU
	$(GO) run ./internal/emulate $(EMULATE)

.PHONY: kill
kill: ## kill training KILLS times (100) at random moments: no checkpoint may break, no run may change
	FMIMG_TEST_KILLS=$(KILLS) $(GO) test -count 1 -timeout 0 -v -run '^TestKilledRuns$$' ./cmd/fmimg

# go test fuzzes one target of one package at a time. FUZZTIME may be a time too, such as 10m, at
# whose end Go before 1.27 sometimes fails with "context deadline exceeded" though nothing is wrong
# (go.dev/issue/75804). The targets of SLOW take some milliseconds for an input, as they run programs
# in WebAssembly, sweep instruction sets or write folders: FUZZSLOW may be less.
SLOW = FuzzAVIF FuzzConv FuzzConvPairs FuzzHEIC FuzzJXL FuzzRunFolder

.PHONY: fuzz
fuzz: ## fuzz each target for FUZZTIME (10000x: that many inputs), the slow ones for FUZZSLOW (the same)
	@grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sort | while IFS=: read -r file target; do \
		target=$${target#func }; \
		time=$(FUZZTIME); case ' $(SLOW) ' in *" $$target "*) time=$(FUZZSLOW);; esac; \
		echo "$$target in $$(dirname $$file) for $$time"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $$time -fuzzminimizetime 10x $$(dirname $$file) || exit 1; \
	done

.PHONY: bench
bench: ## run the benchmarks that match BENCH (all) COUNT times (1)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(PKG)

# For make same: the commit to compare with, and flags (SAME='-isa avx2 -presets tiny').
BASE ?=
SAME ?=

.PHONY: same
same: ## compare all results with those of the program at BASE (a commit), byte for byte
	$(GO) run ./bench/same -base '$(BASE)' $(SAME)

.PHONY: peer
peer: build ## compare with PyTorch in turn, in float32 and bfloat16, on three shapes (CFM=checkout of torchcfm)
	@CFM='$(CFM)' $(GO) run ./bench/peer -fmimg ./fmimg$(EXE) -pythons '$(PYTHONS)' -rounds $(ROUNDS) $(PEER)

TORCH_RUN    = $(QUALITY)/torch-$(MINUTES)
TORCH_MODEL  = $(TORCH_RUN)/weights-$(MINUTES).safetensors
TORCH_TRAIN  = torch_train.py --minutes $(MINUTES) --threads $(THREADS) $(TORCH)
TRAIN        = fmimg$(EXE) train --data mnist --time $(1) --threads $(THREADS)
ADD_ROW      = $(GO) run ./bench/quality -rows $(ROWS) -threads $(THREADS)

# The learning rate falls to zero at the end of a budget, so each point is a run of its own. What
# was scored is left as it is.
.PHONY: quality
quality: build ## train fmimg for each of QUALITY_MINUTES (1 3 10), score what it draws, and add that to docs/quality.jsonl
	@set -e; for m in $(QUALITY_MINUTES); do \
		run=$(QUALITY)/minutes-$$m; \
		if [ -e $$run.json ]; then echo "$$run.json is there already"; continue; fi; \
		if [ -e $$run/state.safetensors ]; then \
			(set -x; ./fmimg$(EXE) train --out $$run --resume); \
		else \
			(set -x; ./$(call TRAIN,$${m}m) --out $$run); \
		fi; \
		(set -x; ./fmimg$(EXE) eval --model $$run --class 0-9 --threads $(THREADS) $(EVAL) --json > $$run.part); \
		$(ADD_ROW) -add $$run.part -time $${m}m -command "$(call TRAIN,$${m}m)"; \
		mv $$run.part $$run.json; \
	done

.PHONY: quality-chart
quality-chart: ## draw FID against minutes of training, from what quality and peer-quality added, into docs/quality.png
	$(GO) run ./bench/quality -rows $(ROWS) -chart $(CHART)

.PHONY: evaluations
evaluations: build ## draw FID against evaluations of both models of the program, into docs/evaluations.png
	mkdir -p $(QUALITY)
	./fmimg$(EXE) eval --model mnist --evaluations 3,6,12 $(NFE) --json > $(QUALITY)/mnist.json
	./fmimg$(EXE) eval --model mnist-fast --evaluations 1,2,4 $(NFE) --json > $(QUALITY)/mnist-fast.json
	$(GO) run ./bench/quality -curves docs/evaluations.png $(QUALITY)/mnist.json $(QUALITY)/mnist-fast.json

.PHONY: peer-quality
peer-quality: build $(TORCH_MODEL) ## train PyTorch for MINUTES (30), score what its weights draw, and add that too (CFM=…)
	./fmimg$(EXE) eval --model $(TORCH_MODEL) --class 0-9 --threads $(THREADS) $(EVAL) --json > $(TORCH_RUN).json
	$(ADD_ROW) -add $(TORCH_RUN).json -trainer PyTorch -time $(MINUTES)m -command '$(strip $(TORCH_TRAIN))'

# Weights that are there are scored again, not trained again.
$(TORCH_MODEL):
	CFM='$(CFM)' $(firstword $(PYTHONS)) bench/peer/$(TORCH_TRAIN) --out $(@D)

# The same bytes come out on one machine with the same versions, so git shows what a new version
# changes.
.PHONY: golden
golden: ## compute the golden numbers of the tests anew, with torchcfm, PyTorch 2.9 or newer and SciPy (CFM=…)
	CFM='$(CFM)' $(firstword $(PYTHONS)) bench/peer/golden.py

.PHONY: lint
lint: ## run the linters, which also check the formatting
	$(TOOL) golangci-lint run
	$(TOOL) golangci-lint run --build-tags mpi,$(TAGS) ./cluster/...

.PHONY: vet
vet: ## check the formatting, and vet for each platform, and the modules of tools
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; }
	@for p in $(PLATFORMS); do \
		echo "vet for $$p"; \
		GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) vet ./... || exit 1; \
	done
	$(GO) vet -tags noasm,$(TAGS) ./...
	$(GO) vet -tags= ./...
	$(GO) vet -tags mpi,$(TAGS) ./cluster ./cmd/...
	@for m in tools/*/go.mod; do \
		echo "vet in $$(dirname $$m)"; \
		$(GO) -C $$(dirname $$m) vet ./... || exit 1; \
	done

.PHONY: generate
generate: ## write the generated files anew
	$(GO) generate ./...

# Compares with the files as they were, not with what is committed: work in progress may be dirty.
.PHONY: fresh
fresh: ## check that the generated files are what make generate writes
	@sums() { grep -rlE --include='*.go' --include='*.s' --include='*.md' \
		'^(//|<!--) Code generated .* DO NOT EDIT\.( -->)?$$' . | sort | xargs cksum; }; \
	before=$$(sums); $(GO) generate ./... || exit 1; after=$$(sums); \
	[ "$$before" = "$$after" ] || { \
		echo "generated files were out of date; before and after (checksum, size, name):"; \
		echo "$$before"; echo "$$after"; exit 1; }

.PHONY: cross
cross: ## build for each platform into dist/
	@for p in $(PLATFORMS); do \
		os=$${p%/*} arch=$${p#*/} exe=; case $$os in windows) exe=.exe;; js) exe=.wasm;; esac; \
		echo "dist/fmimg-$$os-$$arch$$exe"; \
		GOOS=$$os GOARCH=$$arch $(GO) build -o dist/fmimg-$$os-$$arch$$exe ./cmd/fmimg || exit 1; \
	done

.PHONY: clean
clean: ## remove what make built, not what fmimg trained
	rm -rf fmimg fmimg.exe fmimg-mpi dist man site
