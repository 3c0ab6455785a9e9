# `make` lists what there is. Needs Python 3.11 or newer; everything else goes into .venv.
.DEFAULT_GOAL := help
.PHONY: help run test check bench clean
export PYTHONPATH := shared
PYTHON_IN_VENV := .venv/bin/python

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

run: .venv/run.stamp ## serve http://127.0.0.1:8000 until interrupted (PORT and HOST change it)
	@exec $(PYTHON_IN_VENV) -m local

test: .venv/test.stamp ## run the tests, all or some: make test ARGS=tests/unit
	@exec $(PYTHON_IN_VENV) -m pytest -n auto $(ARGS)

check: .venv/test.stamp ## lint, formatting, types
	$(PYTHON_IN_VENV) -m ruff check .
	$(PYTHON_IN_VENV) -m ruff format --check .
	$(PYTHON_IN_VENV) -m mypy

bench: .venv/test.stamp ## measure this machine's figures beside the goals
	@exec $(PYTHON_IN_VENV) -m bench

clean: ## remove .venv and caches; keys and usage in .haimaker stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/run.stamp: shared/requirements.txt
	@sh local/set_up.sh shared/requirements.txt && touch $@

.venv/test.stamp: requirements-dev.txt shared/requirements.txt
	@sh local/set_up.sh requirements-dev.txt && touch $@
