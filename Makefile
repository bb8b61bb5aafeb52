# Everything runs in a virtual environment that is made and filled once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo bench tuning benchmark few-labels docs test test-long lint lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@# Not compiled here: Python does so where a module is imported, and most of these 18,000 never are.
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY) ## draw a phantom, train everything on it, judge the reader
	$(BIN)/cfvqa-run experiment=phantom_demo

bench: $(READY) ## how fast this machine trains at the published sizes, and what limits it
	$(BIN)/cfvqa-bench experiment=mimic_paper source=phantom model.network.memory=question  # nothing of the data set is read

# Two jobs side by side on a thread each do more than one on two. The features are made once, before.
SIDE_BY_SIDE := hydra/launcher=joblib hydra.launcher.n_jobs=2
ABLATION := experiment=phantom_ablation

# What was tried before, of every system alike: seed 1, by the loss on validation subjects.
RATES := phases.finetune.optimizer.lr=5e-4,1e-3,2e-3
TRIED := $(ABLATION) $(SIDE_BY_SIDE) runs=runs/tuning seed=1

tuning: $(READY) ## learning rates of every system: an hour and a quarter; goes on where it was stopped
	$(BIN)/cfvqa-extract $(ABLATION)
	OMP_NUM_THREADS=1 $(BIN)/cfvqa-train --multirun $(TRIED) name=one_phase $(RATES) \
		variant=ekaid,mccformers_s,mccformers_d,siamese
	OMP_NUM_THREADS=1 $(BIN)/cfvqa-train --multirun $(TRIED) name=two_phases $(RATES) \
		variant=full,blip 'phases.pretrain.optimizer.lr=$${phases.finetune.optimizer.lr}'

benchmark: $(READY) ## every system, three seeds, and fewer labels: some hours; goes on where it was stopped
	$(BIN)/cfvqa-extract $(ABLATION)
	OMP_NUM_THREADS=1 $(BIN)/cfvqa-evaluate --multirun $(ABLATION) $(SIDE_BY_SIDE) seed=1,2,3 \
		variant=full,no_pretraining,coarse_only,fine_only,no_matching,no_masked_language,no_graph,ekaid,mccformers_s,mccformers_d,blip,question_only,siamese
	OMP_NUM_THREADS=1 $(BIN)/cfvqa-evaluate --multirun $(ABLATION) $(SIDE_BY_SIDE) name=fewer_labels seed=1,2,3 \
		variant=full,no_pretraining +phases.finetune.label_fraction=0.1,0.3
	$(BIN)/cfvqa-summary $(ABLATION)

# As many updates as in make benchmark, half of them in pretraining in place of a sixth.
HALVES := phases.pretrain.epochs=3 phases.finetune.epochs=3
TENTH := ++phases.finetune.label_fraction=0.1
FEW := $(ABLATION) $(SIDE_BY_SIDE) runs=runs/few_labels seed=1,2,3

few-labels: $(READY) ## what a longer pretraining gives where labels are few: an hour; goes on where it was stopped
	$(BIN)/cfvqa-extract $(ABLATION)
	OMP_NUM_THREADS=1 $(BIN)/cfvqa-evaluate --multirun $(FEW) name=tenth variant=no_pretraining $(TENTH)
	OMP_NUM_THREADS=1 $(BIN)/cfvqa-evaluate --multirun $(FEW) name=halves variant=full,same_labels $(HALVES) $(TENTH)
	OMP_NUM_THREADS=1 $(BIN)/cfvqa-evaluate --multirun $(FEW) name=halves variant=full $(HALVES)
	$(BIN)/cfvqa-summary $(ABLATION) runs=runs/few_labels

# Two processes with a thread each: small networks gain nothing from a second thread. The tests of a file stay together,
# as they share what they have made; files begin in the order of their names, so that those of whole commands are not last.
SPREAD := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

test: $(READY) lint ## all tests but the long ones
	$(SPREAD) -m "not long"

test-long: $(READY) ## several processes, twenty kills: what CI runs behind make test
	$(SPREAD) -m long

lint: $(READY) ## style and the contracts between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

docs: $(READY) ## the site, from docs/ and the docstrings: build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --config-file docs/mkdocs.yml

lock: $(READY) ## write constraints.txt from the versions that are installed
	$(BIN)/pip freeze --exclude-editable > constraints.txt

clean: ## remove the virtual environment; data and runs stay
	rm -rf $(VENV)
