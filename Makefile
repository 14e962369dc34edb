# make test    everything CI runs
# make newest  the same tests with the newest of everything
# make demo    the proxy, the stand-in upstream and a client, on this machine only

VENV = .venv
PIP_TOOLS = 7.6.2
LOCK_TOOLS = build/lock-tools
LOCK_FLAGS =
NEWEST = build/newest
MINUTES = 10
WORKERS = 4
ARGS =
LEFT = nice -n 5

# Compiled modules are kept, wherever the environment says not to: every test that starts a program would compile all of it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup test suite soak floods ten-minutes mixed kill counted cases week bench lint format lock codex installs newest demo docs reference clean

setup:
	@scripts/setup $(VENV)

# ARGS="tests/cli -k login" runs a part. Most tests wait for another process, so there are more workers than cores, all
# forked when the tests have been found (tests/workers.py); files come in the order of tests/conftest.py. What measures
# memory or somebody's patience comes last, alone. Beside the tests runs, with what they leave, what else there is to check.
test:
	$(MAKE) -j 4 suite lint installs

suite: setup docs codex
	$(VENV)/bin/python -m pytest -p tests.workers --workers $(WORKERS) $(ARGS)

lint: setup
	$(LEFT) $(VENV)/bin/ruff check
	$(LEFT) $(VENV)/bin/ruff format --check
	$(LEFT) $(VENV)/bin/mypy

format: setup
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

demo: setup
	@$(VENV)/bin/codex-rotate demo

# The pages, as build/site/index.html. `make reference` writes docs/reference/ anew from the code.
docs:
	@scripts/build-docs

reference: setup
	@$(VENV)/bin/python -m scripts.reference

# What takes minutes: a hundred kills around a refresh and what became of the accounts, the memory of ten thousand turns.
soak: setup
	CRASHES=100 ROUNDS=200 $(VENV)/bin/python -m pytest tests/crashes -o log_cli=true -o log_cli_level=INFO
	COLD=1 SOAK=1 $(VENV)/bin/python -m pytest tests/proxy/test_memory.py -o log_cli=true -o log_cli_level=INFO

# 300 clients at once, 2,000 connections that nobody uses, and bodies of half a gigabyte in a few kilobytes
floods: setup
	COLD=1 FLOODS=1 $(VENV)/bin/python -m pytest tests/proxy/test_floods.py tests/proxy/test_bombs.py -o log_cli=true -o log_cli_level=INFO

# The official CLI under `run` at the world's pace, with pauses: what its user saw, and what happened behind it.
ten-minutes: setup codex
	@$(VENV)/bin/python -m scripts.ten_minutes $(MINUTES)

# The official CLI under `run` while upstream makes every kind of trouble at random, one account always well.
mixed: setup codex
	@$(VENV)/bin/python -m scripts.mixed $(MINUTES) $(SEED)

# The official CLI under `run` while one to three accounts of four die at random moments of each turn, from the handshake to
# the last event. TURNS=1000 for so many, SEED=… for the same ones again; ARGS="--only …" as a bad turn says it.
kill: setup codex
	@$(VENV)/bin/python -m scripts.kill $(if $(TURNS),--turns $(TURNS),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(ARGS)

# The official CLI while accounts die, and whether `usage` has counted every token that upstream has: TURNS=2000, SEED=….
counted: setup codex
	@$(VENV)/bin/python -m scripts.counted $(or $(TURNS),100) $(SEED)

# The official CLI over every case of trouble that the stand-in knows, over both transports: what its user saw.
cases: setup codex
	@$(VENV)/bin/python -m scripts.cases $(CASES)

# How the strategies share five accounts among forty developers in a simulated week, and how three who ask for
# much share it with others, with and without fair share; two minutes.
week: setup
	@$(VENV)/bin/python -m benchmarks.week
	@$(VENV)/bin/python -m benchmarks.week --people

# Against mitmdump, side by side in one run: the tables and pictures of docs/benchmarks.md. Ten minutes, on a quiet machine.
bench: setup
	@$(VENV)/bin/python -m benchmarks --write $(BENCH_FLAGS)

# The official CLI, at the version the end-to-end tests are written against.
codex:
	@scripts/install-codex

# The wheel, installed without the lock as users do: with the newest versions that pyproject.toml allows, and the lowest.
installs: setup
	@$(VENV)/bin/python -m scripts.check_install

# Once a week: all tests with the newest official CLI, the newest mitmproxy, whether or not pyproject.toml allows it yet,
# and the newest of everything else that it allows. Everything starts as a user starts it, and what `make test` takes
# samples of is whole: examples of a property, cases over each version of HTTP, conversations over each transport.
# Nothing of it is committed; what fails is what to look at next.
newest: setup
	rm -rf $(NEWEST)
	mkdir -p $(NEWEST)
	echo mitmproxy >$(NEWEST)/overrides.txt
	$(VENV)/bin/uv venv --quiet --python "$$(scripts/find-python)" $(NEWEST)/venv
	$(VENV)/bin/uv pip install --quiet --python $(NEWEST)/venv --compile-bytecode --upgrade \
		--overrides $(NEWEST)/overrides.txt -e '.[dev]'
	npm install --prefix $(NEWEST) --no-save --no-package-lock --no-audit --no-fund --silent @openai/codex@latest
	$(NEWEST)/venv/bin/mitmdump --version
	$(NEWEST)/node_modules/.bin/codex --version
	COLD=1 CODEX_BIN="$(CURDIR)/$(NEWEST)/node_modules/.bin/codex" $(NEWEST)/venv/bin/python -m pytest $(NEWEST_TESTS)

# Pins of today stay where they still fit; `make lock LOCK_FLAGS=--upgrade` takes the newest. Made with the oldest Python we
# support; the result installs on 3.13 as well. The hashes are those of every platform's files, but pip-compile leaves
# out packages that only another system needs (mitmproxy-macos, mitmproxy-windows, pydivert, colorama, tzdata), so the
# locks are for Linux; scripts/setup installs from pyproject.toml elsewhere. The user's pip settings are set aside: no
# local folder of wheels may decide what is locked.
lock:
	python=$$(scripts/find-python 3.12) && "$$python" -m venv --clear $(LOCK_TOOLS)
	$(LOCK_TOOLS)/bin/python -m pip install -qq --disable-pip-version-check pip-tools==$(PIP_TOOLS)
	$(COMPILE) --extra=dev --all-build-deps --output-file=requirements-dev.lock pyproject.toml
	$(COMPILE) --constraint=requirements-dev.lock --output-file=requirements.lock pyproject.toml
	$(COMPILE) --output-file=requirements-docs.lock requirements-docs.in

COMPILE = env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make lock" \
	$(LOCK_TOOLS)/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url \
	--no-emit-find-links --no-emit-trusted-host $(LOCK_FLAGS)

clean:
	rm -rf .venv build dist tests/e2e/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
