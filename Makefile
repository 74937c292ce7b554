# `make train` and `make test` set up everything on a machine with Python >= 3.10, Rust and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TORCH_VENV ?= .venv-torch
OUT ?= out

RUST := $(shell find rbe_core rbe_py/src -name '*.rs' -o -name Cargo.toml 2>/dev/null) Cargo.toml Cargo.lock
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
# Instruction sets that tests must find: those that Linux reports for the processor, unless the variable is set. `make test RBE_REQUIRE_ISA=`
# requires none. Tests print the sets that they leave out in either case.
CPU := $(shell sed -nE 's/^(flags|Features).*: //p;T;q' /proc/cpuinfo 2>/dev/null)
comma := ,
with = $(if $(filter-out $(CPU),$(2)),,$(1))
RBE_REQUIRE_ISA ?= $(strip $(call with,avx2,avx2 fma bmi2 popcnt) $(call with,avx512,avx512f avx512dq avx512bw avx512vl) \
  $(call with,amx,amx_tile amx_int8 amx_bf16 avx512vbmi avx512_vnni) $(call with,neon,asimd))
export RBE_REQUIRE_ISA
SOURCES := tools rbe_py/python rbe_py/examples tests benches fuzz/python

.PHONY: help develop train test test-page test-signals test-isa test-float32 test-memory test-steps test-torch lint docs bench bench-quick bench-crossover bench-latency bench-ops bench-plain bench-estimators bench-epochs bench-bridge bench-generation bench-build bench-smoke generate clean test-peers fuzz check-arm test-arm count-arm
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

# A virtual environment with the tools and libraries that building, training and testing need.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet 'maturin>=1.9.4,<2' 'numpy>=1.24' --group test
	touch $@

$(VENV)/.lint: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group lint
	touch $@

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group docs
	touch $@

$(VENV)/.built: $(VENV)/.installed $(RUST)
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release
	touch $@

# The other targets do not take this build for a release.
develop: $(VENV)/.installed ## Build the package quickly after a change, optimised as a release
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --profile develop
	rm -f $(VENV)/.built

train: $(VENV)/.built ## Train packed and dense networks on handwritten digits, side by side
	$(BIN)/python rbe_py/examples/train_digits.py --out $(OUT)

test: $(VENV)/.built ## Test the core and the package
	cargo test --workspace --quiet
	RBE_EXAMPLES=$(abspath target)/debug/examples $(BIN)/python -m pytest

# torch takes gigabytes, so it has an environment of its own.
$(TORCH_VENV)/.built: $(VENV)/.built
	$(PYTHON) -m venv $(TORCH_VENV)
	$(TORCH_VENV)/bin/python -m pip install --quiet --upgrade pip
	$(TORCH_VENV)/bin/python -m pip install --quiet 'maturin>=1.9.4,<2' 'numpy>=1.24' --group test --group torch
	VIRTUAL_ENV=$(abspath $(TORCH_VENV)) $(TORCH_VENV)/bin/maturin develop --release
	touch $@

# Programs under nohup, or started with & by a script, ignore Ctrl-C, and so do the programs they start.
test-signals: $(VENV)/.built ## Run the tests of Ctrl-C where the shell ignores it
	trap '' INT; $(BIN)/python -m pytest -k "ctrl_c or signal or interrupt"

test-torch: $(TORCH_VENV)/.built ## Compare with torch, and train programs of others in it; installs them
	$(TORCH_VENV)/bin/python -m pip install --quiet --group torch-programs
	$(TORCH_VENV)/bin/python -m pytest -m torch

test-peers: $(TORCH_VENV)/.built ## Run torch's own databases of operations, modules and optimisers through rbe
	$(TORCH_VENV)/bin/python -m pytest -m peers tests/python/peers

test-page: $(VENV)/.lint $(VENV)/.built ## Follow design/add-an-op.md in a copy of the tree
	$(BIN)/python -m pytest -m build

# `make test` covers the best set.
test-isa: $(VENV)/.built ## Run the tests of the package on every other instruction set of this machine
	best=$$($(BIN)/python -c 'import rbe; print(rbe.isa())') || exit; for isa in scalar avx2 avx512 amx neon; do \
	  [ $$isa = $$best ] && continue; RBE_ISA=$$isa $(BIN)/python -c 'import rbe' 2>/dev/null || continue; \
	  echo "RBE_ISA=$$isa"; RBE_ISA=$$isa $(BIN)/python -m pytest -q || exit; \
	done

test-float32: $(VENV)/.built ## Run the tests of the package with products of packed weights in float32
	RBE_PACKED_MATMUL_PRECISION=float32 $(BIN)/python -m pytest -q

# rustc offers sanitizers on nightly only; RUSTC_BOOTSTRAP=1 enables them on stable. Python must load the sanitizer's runtime before everything else,
# so a shared library is made from the archive that rustc links into programs, without the object file that libraries cannot contain.
ASAN := target/asan
SANITIZED := RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo
WATCHED := addresses interop creation tensor_indexing indexing_properties properties io
test-memory: $(VENV)/.installed ## Look for accesses out of bounds: the engine and the binding by AddressSanitizer, products by valgrind too
	PROPTEST_CASES=1000 $(SANITIZED) test -p rbe_core --test kernels --test quantised --test quantised_windows --target $(HOST) --target-dir $(ASAN)
	$(SANITIZED) test -p rbe_core --lib --target $(HOST) --target-dir $(ASAN) -- isa:: kernel:: array:: packed:: io::
	$(SANITIZED) build -p rbe_py --target $(HOST) --target-dir $(ASAN)
	cp "$$(rustc --print target-libdir)"/librustc-*_rt.asan.a $(ASAN)/runtime.a
	ar d $(ASAN)/runtime.a asan_preinit.cpp.o
	cc -shared -o $(ASAN)/runtime.so -Wl,--whole-archive $(ASAN)/runtime.a -Wl,--no-whole-archive -lpthread -ldl -lm -lrt
	rm -rf $(ASAN)/python && mkdir $(ASAN)/python && cp -r rbe_py/python/rbe $(ASAN)/python
	cp $(ASAN)/$(HOST)/debug/lib_rbe.so $(ASAN)/python/rbe/_rbe.abi3.so
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 LD_PRELOAD=$(abspath $(ASAN))/runtime.so \
	  PYTHONMALLOC=malloc PYTHONPATH=$(abspath $(ASAN))/python $(BIN)/python -m pytest \
	  -m 'not torch and not build and not peers' $(WATCHED:%=tests/python/test_%.py)
	@command -v valgrind >/dev/null || { echo "no valgrind here: apt-get install valgrind"; exit 1; }
	# valgrind does not know AVX-512: it reports the sets below it.
	RBE_REQUIRE_ISA='$(filter-out avx512 amx,$(subst $(comma), ,$(RBE_REQUIRE_ISA)))' PROPTEST_CASES=50 \
	  cargo test -p rbe_core --test kernels --test quantised --test quantised_windows --config "target.$(HOST).runner='valgrind --quiet --error-exitcode=9'"

check-arm: ## Compile the core for 64-bit ARM, with a compiler that this installs
	.ci/arm check

test-arm: ## Test the core as code for 64-bit ARM, under emulation
	.ci/arm test

count-arm: ## Count the instructions of int8 products on 64-bit ARM, under emulation
	.ci/arm count

test-steps: ## Take a million optimiser steps with adversarial gradients on every instruction set
	cargo test --release -p rbe_core --test steps -- --ignored --nocapture

$(VENV)/.fuzz: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group fuzz
	command -v cargo-fuzz || cargo install --locked --quiet cargo-fuzz
	touch $@

# rustc offers sanitizers on nightly only; RUSTC_BOOTSTRAP=1 enables them on stable. libFuzzer writes to fuzz/corpus and fuzz/artifacts
# (CONTRIBUTING.md).
FUZZ_SECONDS ?= 60
FUZZ = -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0
fuzz: $(VENV)/.fuzz $(VENV)/.built ## Feed damaged input to the readers of files and Trainer states, FUZZ_SECONDS each
	mkdir -p $(foreach t,file header idx numpy csv trainer,fuzz/corpus/$(t) fuzz/artifacts/$(t))
	for target in file header; do echo "fuzz $$target"; \
	  RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir fuzz $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	    $(FUZZ) -max_len=4096 -dict=fuzz/names.dict || exit; \
	done
	for target in idx numpy csv; do echo "fuzz $$target"; \
	  $(BIN)/python fuzz/python/readers.py $$target fuzz/corpus/$$target fuzz/seeds/$$target \
	    $(FUZZ) -max_len=4096 -len_control=0 -artifact_prefix=fuzz/artifacts/$$target/ || exit; \
	done
	echo "fuzz trainer"; $(BIN)/python fuzz/python/trainer_state.py fuzz/corpus/trainer \
	  $(FUZZ) -max_len=256 -len_control=0 -artifact_prefix=fuzz/artifacts/trainer/

# BENCH selects the measurements: make bench BENCH='--threads 1 --isas avx2'
bench: $(TORCH_VENV)/.built ## Measure kernels, and packed layers against torch's dense ones: 10 to 20 minutes
	$(TORCH_VENV)/bin/python benches/python/compare.py $(BENCH)
	$(if $(BENCH),,$(MAKE) bench-latency)

bench-quick: $(TORCH_VENV)/.built ## As bench, the large layers on one thread: under two minutes
	$(TORCH_VENV)/bin/python benches/python/compare.py --quick

bench-crossover: ## Compare tables and dot products of bytes in int8 products, over layers and samples
	cargo bench -p rbe_benches --bench crossover

bench-latency: ## Measure the latency of parallel regions
	cargo bench -p rbe_benches --bench latency -- --warm-up-time 0.5 --measurement-time 2

bench-ops: $(TORCH_VENV)/.built ## Compare dense operations with torch's
	$(TORCH_VENV)/bin/python benches/python/ops.py

bench-plain: $(VENV)/.built ## Compare functions of NumPy arrays with NumPy's own: 2 minutes
	$(BIN)/python benches/python/plain.py

bench-estimators: $(VENV)/.built ## Compare estimators with scikit-learn's, on up to a million samples: 10 minutes
	$(BIN)/python benches/python/estimators.py

bench-epochs: $(TORCH_VENV)/.built ## Compare training steps and memory of the examples' networks with torch's: 5 minutes
	$(TORCH_VENV)/bin/python benches/python/epochs.py --threads 1 --blocks 3 --steps 5
	$(TORCH_VENV)/bin/python benches/python/epochs.py --threads 2 --blocks 3 --steps 5

bench-bridge: $(TORCH_VENV)/.built ## Measure packed layers in torch: cost of a layer, steps and memory of a GPT
	$(TORCH_VENV)/bin/python benches/python/bridge.py
	$(TORCH_VENV)/bin/python benches/python/epochs.py --threads 2 --models gpt512 --blocks 3 --steps 5

bench-generation: $(TORCH_VENV)/.built ## Compare generation with torch's and ONNX Runtime's, which this installs
	$(TORCH_VENV)/bin/python -m pip install --quiet --group generation
	$(TORCH_VENV)/bin/python benches/python/generation.py --threads 1
	$(TORCH_VENV)/bin/python benches/python/generation.py --threads 2

bench-build: ## Time clean and incremental builds, of a release and for development
	$(PYTHON) benches/python/build_times.py
	$(PYTHON) benches/python/build_times.py --profile develop --functions 0

bench-smoke: $(TORCH_VENV)/.built ## Run every benchmark once, without measuring
	cargo bench -p rbe_benches --quiet -- --test
	$(TORCH_VENV)/bin/python benches/python/compare.py --smoke --out $(OUT)/bench
	$(TORCH_VENV)/bin/python benches/python/tables.py $(OUT)/bench/*-smoke.json --layers 256x256
	$(TORCH_VENV)/bin/python benches/python/ops.py --smoke
	$(TORCH_VENV)/bin/python benches/python/plain.py --smoke
	$(TORCH_VENV)/bin/python benches/python/estimators.py --smoke
	$(TORCH_VENV)/bin/python benches/python/epochs.py --smoke
	$(TORCH_VENV)/bin/python benches/python/bridge.py --smoke
	$(TORCH_VENV)/bin/python -m pip install --quiet --group bench --group generation
	$(TORCH_VENV)/bin/python benches/python/generation.py --smoke
	$(TORCH_VENV)/bin/python -m pytest --quiet benches/python/test_layers.py --benchmark-disable

docs: $(VENV)/.docs $(VENV)/.built ## Build the reference of both languages: target/doc and out/docs
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet
	$(BIN)/python -W error -m pdoc --docformat numpy --output-directory $(OUT)/docs rbe

generate: $(VENV)/.lint $(VENV)/.built ## Write stubs, functions and the list of operations from the declarations of operations
	$(BIN)/python tools/generate.py

lint: $(VENV)/.lint $(VENV)/.built ## Formatting, clippy, rustdoc, ruff, mypy, stubs: warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --manifest-path fuzz/Cargo.toml --no-default-features --target-dir target --quiet -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet
	$(BIN)/python tools/generate.py --check
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy rbe_py/python/rbe
	cd rbe_py/examples && ../../$(BIN)/mypy --strict train_digits.py train_convnet.py train_chars.py train_gpt.py train_lstm.py
	$(BIN)/python -m mypy.stubtest rbe._rbe --concise

clean: ## Remove what was built
	rm -rf $(VENV) $(TORCH_VENV) target $(OUT)
