# `make` lists what there is. Needs Python 3.11 or newer; everything else goes into .venv and .venv-aws.
.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-batch batch-kills fuzz providers record vendored prices publish-prices screenshots scale suites build doctor keys spend models routes tools deploy admin-key credentials reconcile invoke logs destroy clean
export PYTHONPATH := shared
export SAM_CLI_TELEMETRY ?= 0
PYTHON_IN_VENV := .venv/bin/python
STACK ?= haimaker
HOST_ARCHITECTURE = $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)
HAIMAKER = $(PYTHON_IN_VENV) -m local.command_line
ON_STACK = $(HAIMAKER) --stack $(STACK)

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

run: .venv/run.stamp ## serve http://127.0.0.1:8000 until interrupted (PORT and HOST change it)
	@exec $(PYTHON_IN_VENV) -m local

test: .venv/test.stamp .venv-aws/aws.stamp ## run the tests, all or some: make test ARGS=tests/unit
	@exec $(PYTHON_IN_VENV) -m pytest -n auto --dist worksteal $(ARGS)

check: .venv/test.stamp ## lint, formatting, types
	$(PYTHON_IN_VENV) -m ruff check .
	$(PYTHON_IN_VENV) -m ruff format --check .
	$(PYTHON_IN_VENV) -m mypy

bench: .venv/test.stamp ## measure this machine's figures beside the goals; the cold start is the built layer's if python3.13 is here
	@! sh shared/find_python313.sh >/dev/null 2>&1 || $(MAKE) --no-print-directory build .venv-bench/bench.stamp >&2
	@exec $(PYTHON_IN_VENV) -m bench

providers: .venv/test.stamp ## write the index of providers anew: after one is added, or a variable of one
	@exec $(PYTHON_IN_VENV) -m scripts.provider_index

fuzz: .venv/test.stamp ## try hostile clients and providers, from a seed: make fuzz MINUTES=10 SEED=1
	@exec $(PYTHON_IN_VENV) -m tests.fuzz --minutes $(or $(MINUTES),10) --seed $(or $(SEED),1)

bench-batch: .venv/test.stamp ## measure how fast a batch is answered, and its memory: make bench-batch LINES=50000
	@exec $(PYTHON_IN_VENV) -m bench.batch --lines $(or $(LINES),50000)

batch-kills: .venv/test.stamp ## kill the gateway at random points of a batch: make batch-kills KILLS=50 LINES=2000 SEED=1
	@BATCH_KILLS=$(or $(KILLS),50) BATCH_LINES=$(or $(LINES),2000) BATCH_SEED=$(or $(SEED),1) BATCH_LIFE_S=1.5 BATCH_ANSWER_S=0.5 $(PYTHON_IN_VENV) -m pytest -q -n 0 tests/contract/test_batch_kills.py

record: .venv/test.stamp ## record a wire case: make record PROVIDER=groq MODEL=... CASE=name REQUEST=file.json (ANSWER=file.json SOURCE=https://...: of a vendor's page)
	@exec $(PYTHON_IN_VENV) -m scripts.record $(PROVIDER) $(MODEL) $(CASE) $(REQUEST) $(if $(ANSWER),--answer $(ANSWER)) $(if $(SOURCE),--source $(SOURCE))

vendored: .venv/test.stamp ## compare the console's libraries with what npm publishes; needs npm
	@exec $(PYTHON_IN_VENV) -m scripts.check_vendored

prices: .venv/test.stamp ## build the table of models and prices from LiteLLM's newest price map, to be read as a diff and committed (ARGS=--vendors: put in what vendor_prices.py has, and fetch nothing)
	@exec $(PYTHON_IN_VENV) -m scripts.build_prices $(ARGS)

screenshots: .venv/test.stamp ## make the console's screenshots in docs/ anew; needs Chromium
	@exec $(PYTHON_IN_VENV) -m scripts.console_screenshots

scale: .venv/test.stamp ## measure the console with many keys and requests: make scale KEYS=5000 RECORDS=1000000 FOLDER=/tmp/scale; needs Chromium
	@exec $(PYTHON_IN_VENV) -m scripts.console_at_scale --keys $(or $(KEYS),5000) --records $(or $(RECORDS),1000000) $(if $(FOLDER),--home $(FOLDER))

suites: .venv/test.stamp ## run suites that others wrote for the API's formats: make suites FOLDER=/tmp/suites; needs npm
	@exec $(PYTHON_IN_VENV) -m scripts.foreign_suites $(or $(FOLDER),/tmp/suites)

build: .venv-aws/aws.stamp ## build the layer for this machine, as sam local runs it; needs python3.13
	ARCHITECTURE=$(HOST_ARCHITECTURE) .venv-aws/bin/sam build
	sed 's|/response-streaming-invocations|/invocations|' .aws-sam/build/template.yaml > .aws-sam/build/local.yaml

doctor: .venv/cli.stamp ## say what is missing or wrong here, and the fix: make doctor ARGS=--online
	@exec $(HAIMAKER) doctor $(ARGS)

keys: .venv/cli.stamp ## the gateway's keys, or more: make keys ARGS="create --alias ada --max-budget 5"
	@exec $(HAIMAKER) keys $(or $(ARGS),list)

spend: .venv/cli.stamp ## what was spent: make spend ARGS="--by model"
	@exec $(HAIMAKER) spend $(ARGS)

publish-prices: $(if $(filter file,$(origin STACK)),.venv/cli.stamp,.venv/stack.stamp) ## give the gateway that runs, or a stack, this table of prices: make publish-prices STACK=haimaker
	@exec $(HAIMAKER) $(if $(filter file,$(origin STACK)),,--stack $(STACK)) prices

models: .venv/cli.stamp ## the gateway's models and their prices: make models ARGS=gpt-4o
	@exec $(HAIMAKER) models $(ARGS)

routes: .venv/cli.stamp ## check your own names in gateway.toml
	@exec $(HAIMAKER) routes check $(ARGS)

tools: .venv/stack.stamp .venv-aws/aws.stamp ## install what `bin/haimaker --stack` needs
	@echo 'All is there. bin/haimaker --help'

deploy: .venv/stack.stamp .venv-aws/aws.stamp ## build, and make or change the stack: make deploy STACK=haimaker
	@exec $(ON_STACK) deploy $(if $(YES),--yes)

admin-key: .venv/stack.stamp ## make an administrator's key of the deployed stack
	@exec $(ON_STACK) admin-key

credentials: .venv/stack.stamp ## give the deployed stack a provider's key, typed unseen: make credentials PROVIDER=openai
	@exec $(ON_STACK) credentials $(if $(NAME),--name '$(NAME)') $(if $(PROVIDER),--provider '$(PROVIDER)') $(if $(REMOVE),--remove)

reconcile: $(if $(filter file,$(origin STACK)),.venv/cli.stamp,.venv/stack.stamp) ## prove by the records what was spent, and repair it (CHECK=1: only report): make reconcile STACK=haimaker
	@exec $(HAIMAKER) $(if $(filter file,$(origin STACK)),,--stack $(STACK)) reconcile $(if $(CHECK),--check)

invoke: .venv/stack.stamp .venv-aws/aws.stamp ## invoke a deployed function: make invoke FUNCTION=ModelsFunction EVENT=events/models_health.json
	@exec $(ON_STACK) invoke $(if $(FUNCTION),--function '$(FUNCTION)') $(if $(EVENT),--event '$(EVENT)')

logs: .venv/stack.stamp .venv-aws/aws.stamp ## follow the deployed functions' logs, all or one: make logs FUNCTION=ChatCompletionsFunction
	@exec $(ON_STACK) logs $(if $(FUNCTION),--function '$(FUNCTION)')

destroy: .venv/stack.stamp .venv-aws/aws.stamp ## delete the stack; asks, and keeps the tables unless told otherwise
	@exec $(ON_STACK) destroy

clean: ## remove .venv, .venv-*, builds and caches; keys and usage in .haimaker stay
	rm -rf .venv .venv-aws .venv-bench .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/run.stamp: shared/requirements.txt
	@sh local/set_up.sh shared/requirements.txt && touch $@

.venv/cli.stamp: shared/requirements.txt local/requirements.txt
	@sh local/set_up.sh shared/requirements.txt local/requirements.txt && touch .venv/run.stamp $@

.venv/stack.stamp: requirements-operator.txt shared/requirements.txt local/requirements.txt
	@sh local/set_up.sh requirements-operator.txt && touch .venv/run.stamp .venv/cli.stamp $@

.venv/test.stamp: requirements-dev.txt requirements-operator.txt shared/requirements.txt local/requirements.txt
	@sh local/set_up.sh requirements-dev.txt && touch .venv/stack.stamp $@

.venv-bench/bench.stamp: requirements-bench.txt shared/requirements.txt
	@VENV=.venv-bench PYTHON="$$(sh shared/find_python313.sh)" sh local/set_up.sh requirements-bench.txt && touch $@

.venv-aws/aws.stamp: requirements-aws.txt
	@VENV=.venv-aws sh local/set_up.sh requirements-aws.txt && touch $@
