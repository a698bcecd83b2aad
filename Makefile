# make book | test | serve | execute | train | lint | clean
# The first of them makes .venv and installs; after that nothing needs a network.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
HTML := _build/html

.PHONY: book test serve execute train lint clean
.DELETE_ON_ERROR:

book: $(READY)
	$(BIN)/jupyter-book build book/ $(BOOKFLAGS)
	touch $(HTML)/.nojekyll
	@echo
	@echo "Open $(CURDIR)/$(HTML)/intro.html"

# Every worker runs one notebook or one test file at a time, on one thread, so that workers do not fight for the cores.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --nbval -n auto --maxprocesses 4 --dist loadfile $(TESTFLAGS)

serve: book
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(HTML) 8000

execute: $(READY)
	$(BIN)/python scripts/execute_notebooks.py

# Both runs go on where they were stopped. The rest is made from the weights: what ships, what chapter 10 measures, and
# the pictures that were grown from the network. `make execute` then brings the chapters up to date.
train: $(READY)
	$(BIN)/python -m senet_edu.train --recipe laptop --model resnet20 --eval-every 5 --out runs/resnet20 --resume
	$(BIN)/python -m senet_edu.train --recipe laptop --model se_resnet20 --eval-every 5 --out runs/se_resnet20 --resume
	$(BIN)/python scripts/ship_weights.py runs/resnet20 runs/se_resnet20
	$(BIN)/python scripts/measure_interventions.py
	$(BIN)/python scripts/draw_samples.py

# Scripts and styles are checked where npm is there and can fetch biome; package-lock.json has its version.
lint: $(READY)
	$(BIN)/ruff check .
	@if ! command -v npm > /dev/null; then echo "No npm here: scripts and styles are not checked."; \
	elif test -x node_modules/.bin/biome || npm ci --silent --no-audit --no-fund; then npm run --silent lint; \
	else echo "npm could not fetch biome: scripts and styles are not checked."; fi

clean:
	rm -rf _build

# Installs again when what is to be installed has changed.
$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed; try: make PYTHON=python3.11')"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	touch $@
