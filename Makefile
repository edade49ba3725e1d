PYTHON ?= python3

# the long form of everything, in this order
NIGHTLY := check fidelity test fuzz crash outage planted bench mutate

.PHONY: help run test fidelity crash outage fuzz mutate planted scenarios check format bench nightly sbom lock

help: ## these targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

run: ## start the tour: receiver, worker and sandbox, until Ctrl-C
	@exec $(PYTHON) dev.py run

test: ## run every test; T="-k word" narrows
	@exec $(PYTHON) dev.py test $(T)

fidelity: ## let Microsoft's own client and its serializer's bytes prove the sandbox; T="-k word" narrows
	@exec $(PYTHON) dev.py fidelity $(T)

crash: ## kill -9 every process at random points under load, and count what is lost; T="--kills 200" for more
	@exec $(PYTHON) dev.py python -W ignore::UserWarning tests/crash/crash.py $(T)

outage: ## receiver, database, Dataverse and steps away in turn, a foreign key, a wave of deletions; T="--couplings 500"
	@exec $(PYTHON) dev.py python -W ignore::UserWarning tests/outage/outage.py $(T)

fuzz: ## send 50 000 odd bodies through the door and the worker; T="--bodies 500000" for more
	@exec $(PYTHON) dev.py python -W ignore::UserWarning tests/fuzz/fuzz.py $(T)

mutate: ## make the rules wrong in one place at a time, and see whether a test notices; T="--sample 60" takes a part
	@exec $(PYTHON) dev.py python tests/mutation/mutate.py $(T)

planted: ## take one mend out at a time, and see whether the test named for it turns red; T="lookups" takes some
	@exec $(PYTHON) dev.py python tests/planted/plant.py $(T)

scenarios: ## count which of Business Central's own cases are tests, explained, or missing
	@exec $(PYTHON) dev.py python tests/scenarios/count.py

check: ## lint, format, types, import contracts, Dockerfile
	@exec $(PYTHON) dev.py check

format: ## let the formatter and the linter mend what they can
	@exec $(PYTHON) dev.py format

bench: ## measure, side by side, and write docs/performance.md; T="--short" only tries the benchmark
	@exec $(PYTHON) dev.py bench $(T)

nightly: ## all of these in their long forms, for hours; fresh installs with every Python and pip that is here
	@failed=; for target in $(NIGHTLY); do echo "make $$target"; \
	RECEIVER_TEST_FLOOD=100000 RECEIVER_TEST_EXAMPLES=200 RECEIVER_TEST_PIPS=all $(MAKE) --no-print-directory $$target T= || failed="$$failed $$target"; \
	done; if [ -n "$$failed" ]; then echo "Failed:$$failed"; exit 1; fi

sbom: ## list what is delivered: sbom.json (CycloneDX), and the licence of each component
	@exec $(PYTHON) dev.py sbom

lock: ## write the lock files anew from requirements*.in (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate requirements.in -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -c requirements.lock requirements.in requirements-dev.in -o requirements-dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -c requirements-dev.lock requirements.in requirements-dev.in requirements-fidelity.in -o requirements-fidelity.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate requirements-sbom.in -o requirements-sbom.lock
