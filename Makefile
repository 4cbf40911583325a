# make setup | train | quick | test | smoke | book | notebooks | study | pins | gpu
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed
# Pages whose numbers nbval compares: scripts with stored outputs beside them.
EXPLAINED := $(wildcard notebooks/explain_*.py)
STORED := $(EXPLAINED:.py=.ipynb)

.PHONY: setup train quick test smoke book notebooks study pins format gpu

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	touch $@

train: setup
	$(BIN)/papermill notebooks/train_humanml.py out.ipynb

# What to run after every edit.  A process for each core, up to four, with one thread each.
quick: setup
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -p no:nbval -n auto --maxprocesses 4 -m "not slow" tests </dev/null

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --nbval-lax -n auto --maxprocesses 4 --dist loadfile tests $(STORED) </dev/null

smoke: setup
	mkdir -p _build/smoke
	for page in train_humanml train_video lift_video; do \
	  $(BIN)/papermill notebooks/$$page.py _build/smoke/$$page.ipynb -p profile smoke -p runs _build/smoke/runs \
	  || exit 1; done

book: setup
	$(BIN)/jupyter-book build book/ $(BOOKFLAGS)

# Bring every stored .ipynb up to its script and execute it in place.
notebooks: setup
	for page in $(EXPLAINED); do \
	  $(BIN)/jupytext --quiet --sync $$page && \
	  VIDEOMDM_PLOTLY_JS=page $(BIN)/jupyter nbconvert --log-level WARN --to notebook --execute --inplace $${page%.py}.ipynb \
	  || exit 1; done

# A run as a page of the book: make book/runs/train_humanml.ipynb PARAMETERS='-p profile study'
book/runs/%.ipynb: notebooks/%.py setup
	mkdir -p book/runs
	VIDEOMDM_PLOTLY_JS=page $(BIN)/papermill $< $@ $(PARAMETERS)

# The book's tables: every row that is missing (killed ones resume), then the pages; make -j2 study uses two cores.
CORPORA := procedural $(if $(VIDEOMDM_DATA),bandai)
ON_procedural := --data procedural
ON_bandai := --data bandai --data-root $(VIDEOMDM_DATA)/bandai
BASE_procedural := --base procedural
BASE_bandai := --base bandai --data-root $(VIDEOMDM_DATA)/bandai
STUDY := OMP_NUM_THREADS=1 $(BIN)/python -m videomdm.study
TRAINED := mdm-3d mdm-teacher videomdm
UNIFORM := real teacher $(TRAINED) videomdm-pnp
GAP := real teacher mdm-3d videomdm $(addprefix videomdm/,round-1 lifter-2 round-2) videomdm-pnp \
  $(addprefix videomdm-pnp/,refined round-1 sized sized-round-1 sized-lifter-2 sized-round-2)
GAP_MORE := $(addprefix videomdm-frame/,refined round-1) $(addprefix videomdm/,projected round-1-placed) \
  $(addprefix videomdm-pnp/,lifter-2 round-2 round-1-common round-1-rigid)
BY_ELEPOSE := --precision bf16 --lifter runs/elepose-rooted/elepose.safetensors
ON_VAL := --profile laptop --precision bf16 --evaluation-split val
SEARCH := --profile laptop --trials 56 --confirm 3
TABLE2 := --data-root $(VIDEOMDM_DATA)/bandai --source-steps 2000 --precision bf16
TABLE3 := --set warmup_steps=1200 steps=600 precision=bf16
PAGES := reproduction shipped real_people teachers first_light table1 gap controls ablations sweeps search table2 table3 \
  words speed

study-rows-%: setup
	$(STUDY) first-light $(ON_$*)
	$(STUDY) table1 $(ON_$*) --precision bf16
	$(STUDY) table1 $(ON_$*) --root-path network --rows real teacher mdm-teacher videomdm
	for name in gap ablations sweeps; do $(STUDY) $$name $(ON_$*) --precision bf16 || exit 1; done
	for seed in 2 3 4; do \
	  $(STUDY) controls $(ON_$*) --precision bf16 --seed $$seed && \
	  $(STUDY) controls $(ON_$*) --precision bf16 --seed $$seed --skeleton uniform --rows $(UNIFORM) || exit 1; done
	for seed in 0 1 2; do $(STUDY).table3 $(BASE_$*) --seed $$seed $(TABLE3) || exit 1; done

study-more-procedural: study-rows-procedural
	$(STUDY).table3 --rows videomdm-frame --study table3-procedural-ddpm $(TABLE3) sampler=ddpm
	$(STUDY).table3 --rows videomdm-frame --study table3-procedural-100 $(TABLE3:600=100)

study-more-bandai: study-rows-bandai
	for seed in 1 2 3 4; do \
	  $(STUDY) table1 $(ON_bandai) --precision bf16 --seed $$seed --rows $(TRAINED) videomdm-pnp || exit 1; done
	for seed in 1 2; do \
	  $(STUDY) table1 $(ON_bandai) --root-path network --seed $$seed --rows mdm-teacher videomdm && \
	  $(STUDY) table1 $(ON_bandai) --precision bf16 --seed $$seed --rows videomdm-frame mdm-2d && \
	  $(STUDY) gap $(ON_bandai) --precision bf16 --seed $$seed --rows mdm-3d videomdm videomdm/round-1 || exit 1; done
	for seed in 2 3 4; do $(STUDY) gap $(ON_bandai) --precision bf16 --seed $$seed --rows $(GAP) || exit 1; done
	for seed in 2 3; do \
	  $(STUDY) gap $(ON_bandai) --precision bf16 --seed $$seed --rows $(GAP_MORE) && \
	  $(STUDY) ablations $(ON_bandai) --precision bf16 --seed $$seed && \
	  $(STUDY) sweeps $(ON_bandai) --precision bf16 --seed $$seed || exit 1; done
	$(STUDY).train_elepose --rooted --base bandai --root $(VIDEOMDM_DATA)/bandai --out runs/elepose-rooted
	$(STUDY) table1 $(ON_bandai) $(BY_ELEPOSE) --rows real teacher
	$(STUDY) diversity $(ON_bandai) $(ON_VAL) --rows real
	for seed in 0 1 2; do \
	  $(STUDY) table1 $(ON_bandai) $(BY_ELEPOSE) --seed $$seed --rows mdm-teacher videomdm videomdm-pnp && \
	  $(STUDY) diversity $(ON_bandai) $(ON_VAL) --seed $$seed --rows $(TRAINED) videomdm/teacher-above && \
	  $(STUDY).table3 $(BASE_bandai) --seed $$seed --rows videomdm-frame $(TABLE3) lifter=procedural || exit 1; done
	$(STUDY).table3 $(BASE_bandai) --rows mdm-teacher videomdm-frame/round-1-assumed $(TABLE3) lifter=procedural
	$(STUDY) placing $(ON_bandai) --precision bf16 --evaluation-split val --seed 2 --rows real videomdm videomdm-pnp/sized
	$(STUDY) samplers-ddpm $(ON_bandai) --sampler ddpm --rows videomdm
	OMP_NUM_THREADS=1 $(BIN)/videomdm search $(SEARCH) --set data=bandai data_root=$(VIDEOMDM_DATA)/bandai \
	  method=videomdm precision=bf16 lift_samples=2 evaluation_samples=192
	for seed in 0 1 2; do $(STUDY).table2 $(TABLE2) --steps 2000 --seed $$seed || exit 1; done
	for seed in 0 1 2; do \
	  $(STUDY).table2 $(TABLE2) --steps 400 --study table2-400 --rows videomdm --seed $$seed || exit 1; done

study: $(CORPORA:%=study-more-%)
	rm -f $(PAGES:%=book/runs/evaluate_%.ipynb)
	$(MAKE) $(PAGES:%=book/runs/evaluate_%.ipynb)

# On a machine with a GPU, with whatever PyTorch it has; repeat until all pieces are done.
gpu:
	$(firstword $(wildcard $(BIN)/python) python3) -m benchmarks.gpu $(GPUFLAGS)

# Write the versions that are installed now into both files that pin them.
pins:
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+.*//' > constraints.txt
	printf '%s\n' 'name: videomdm' 'channels: [conda-forge]' 'dependencies:' '  - python=3.11' '  - pip' '  - pip:' > environment.yml
	sed 's/^/      - /' constraints.txt >> environment.yml
	printf '%s\n' '      - -e .[dev]' >> environment.yml

format:
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
