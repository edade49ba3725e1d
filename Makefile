PYTHON ?= python3

.PHONY: help run test check format bench lock

help: ## these targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

run: ## start the tour: receiver, worker and sandbox, until Ctrl-C
	@exec $(PYTHON) dev.py run

test: ## run every test; T="-k word" narrows
	@exec $(PYTHON) dev.py test $(T)

check: ## lint, format, types, import contracts, Dockerfile
	@exec $(PYTHON) dev.py check

format: ## let the formatter and the linter mend what they can
	@exec $(PYTHON) dev.py format

bench: ## measure, side by side, and print the table
	@exec $(PYTHON) dev.py bench

lock: ## write the lock files anew from requirements*.in (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate requirements.in -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -c requirements.lock requirements.in requirements-dev.in -o requirements-dev.lock
