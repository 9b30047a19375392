# make serve   build and start the switch (it writes switchroom.toml the first time)
# make tuned   build once more, laid out for what calls do: a quarter less CPU for each (it takes some minutes)
# make test    build and run everything that is checked
# make sanitize  fuzz the C parts under AddressSanitizer, SECONDS=60 for each
# make sanitize-modules  build all compiled modules with it, in a copy, and run the tests that drive them
# make format  put the sources in shape
# make clean   remove what was built
# CONFIG=FILE ARGS="--set log.level=debug" go to serve.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DEBIAN_FRONTEND := noninteractive
# Hundreds of processes start in the tests: what one has compiled serves the next, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

SOURCES := setup.py pyproject.toml $(shell find switch codecs protocols -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*_core.c') \
	$(wildcard $(patsubst %.pxd,%.py,$(shell find switch codecs protocols -name '*.pxd'))) \
	$(wildcard codecs/native/*.c codecs/sound/*.c)

# How to install Debian packages: as root, with sudo, or not at all.
APT := $(shell if ! command -v apt-get >/dev/null; then :; elif [ "$$(id -u)" = 0 ]; then echo apt-get; \
	elif command -v sudo >/dev/null; then echo sudo -E apt-get; fi)

# Programs that the tests drive, and the packages that have them.
PEERS := sipp:sip-tester baresip:baresip sipsak:sipsak tshark:tshark faketime:faketime svcrack:sipvicious \
	ip:iproute2 nft:nftables prlimit:util-linux chromium:chromium npm:npm dnsmasq:dnsmasq-base kamailio:kamailio \
	sox:sox ffmpeg:ffmpeg opusenc:opus-tools toast:libgsm-tools speexenc:speex \
	gammu:gammu gammu-smsd:gammu-smsd smsd:smstools bearerbox:kannel espeak-ng:espeak-ng linphonec:linphone-cli
# Libraries of codecs, which are found at run time, and what sox reads AMR with.
LIBRARIES := libopus.so.0:libopus0 libbcg729.so.0:libbcg729-0 libopencore-amrnb.so.0:libopencore-amrnb0 \
	libopencore-amrwb.so.0:libopencore-amrwb0 libvo-amrwbenc.so.0:libvo-amrwbenc0 libspeex.so.1:libspeex1 \
	libspandsp.so.2:libspandsp2 sox/libsox_fmt_amr_nb.so:libsox-fmt-base

.PHONY: serve tuned test check sanitize sanitize-modules peers format clean

serve: $(VENV)/.installed
	@exec $(BIN)/switchroom serve $(if $(CONFIG),-c $(CONFIG)) $(ARGS)

# A copy is built that counts what it does, and does what bench/training.py has it do; then the modules here are built
# with what it counted. Whatever goes wrong before that leaves them as they are. After a change of the sources: again.
COUNTED := build/counted
tuned: $(VENV)/.installed $(VENV)/.building
	@$(MAKE) --no-print-directory peers PEERS=sipp:sip-tester LIBRARIES=
	$(BIN)/python setup.py -q --name  # brings the C up to date: both builds are of the same
	rm -rf $(COUNTED) && mkdir -p $(COUNTED)
	cp -rp setup.py pyproject.toml README.md switch codecs protocols $(COUNTED)
	find $(COUNTED) -name '*.so' -delete
	cd $(COUNTED) && SWITCHROOM_PROFILE=make $(CURDIR)/$(BIN)/python setup.py -q build_ext --inplace
	PYTHONPATH=$(CURDIR)/$(COUNTED)/build/names $(BIN)/python bench/training.py
	rm -rf build/temp.* && cd $(COUNTED)/build && find temp.* -name "*.gcda" -exec cp --parents {} ../.. \;
	SWITCHROOM_PROFILE=use $(BIN)/python setup.py -q build_ext --inplace --force
	rm -rf $(COUNTED)

# Hundreds of tests drive real programs in real time and mostly wait: three processes share them, file by file. One
# that failed is tried once more, alone, so that a machine which stood still is told from a fault; both runs are printed.
test: $(VENV)/.tests peers check
	$(BIN)/pytest -n 3 --dist loadfile || { echo "once more, what failed:"; $(BIN)/pytest --last-failed --last-failed-no-failures none --maxfail 5; }

check: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd build/names && ../../$(BIN)/mypy -p switchroom

SECONDS ?= 60

sanitize: $(VENV)/.tests
	SWITCHROOM_FUZZ_SECONDS=$(SECONDS) $(BIN)/pytest tests/codecs/test_fuzz.py tests/codecs/test_sound.py \
		tests/codecs/test_resampling.py tests/switch/media/test_fuzz.py tests/switch/media/test_srtp.py tests/switch/media/test_jitter.py

# What Python itself leaves is no leak of ours. A test that stands still for five minutes says where. Everything takes
# three times as long there: what failed is tried once more, alone, as in `make test`.
SANITIZED := build/sanitized
SANITIZED_PYTEST = ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc UNSANITIZED_PYTHON=$(CURDIR)/$(BIN)/python \
	SANITIZED_PYTHON=$(CURDIR)/$(SANITIZED)/tests/sanitizing/python \
	PYTHONPATH=$(CURDIR)/$(SANITIZED)/build/names:$(CURDIR)/$(SANITIZED)/tests/sanitizing \
	tests/sanitizing/python -m pytest -q -o faulthandler_timeout=300 --hypothesis-profile=ci \
	-k "not memory and not fuzz and not takes_long"
SANITIZED_TESTS ?= tests/codecs tests/protocols tests/switch/net tests/switch/calls tests/switch/media tests/switch/store
sanitize-modules: $(VENV)/.tests $(VENV)/.building
	rm -rf $(SANITIZED) && mkdir -p $(SANITIZED)
	cp -r setup.py pyproject.toml README.md switch codecs protocols tests docs examples $(SANITIZED)
	find $(SANITIZED) -name '*.so' -delete
	cd $(SANITIZED) && SWITCHROOM_SANITIZE=1 $(CURDIR)/$(BIN)/python setup.py -q build_ext --inplace -j 2
	cd $(SANITIZED) && $(SANITIZED_PYTEST) -n 2 --dist loadfile $(SANITIZED_TESTS) || { echo "once more, what failed:"; \
		$(SANITIZED_PYTEST) --last-failed --last-failed-no-failures none $(SANITIZED_TESTS); }

# What cannot be installed is no error here: its tests are skipped and say so, and in CI they fail.
peers:
	@packages=; for peer in $(PEERS); do \
		PATH="$$PATH:/usr/sbin:/sbin" command -v "$${peer%%:*}" >/dev/null || packages="$$packages $${peer#*:}"; \
	done; \
	for library in $(LIBRARIES); do \
		ls /usr/lib/*/$${library%%:*} >/dev/null 2>&1 || packages="$$packages $${library#*:}"; \
	done; \
	if [ -n "$$packages" ] && [ -n "$(APT)" ]; then \
		echo "installing for the tests:$$packages"; \
		$(APT) update -q || true; \
		for package in $$packages; do \
			$(APT) install -q -y --no-install-recommends "$$package" || echo "could not install $$package"; \
		done; \
	elif [ -n "$$packages" ]; then \
		echo "missing, and neither root nor sudo to install them:$$packages"; \
	fi

$(VENV)/.installed: $(SOURCES) | $(BIN)/pip
	$(BIN)/pip install -q -e .
	@touch $@

$(VENV)/.tests: $(SOURCES) | $(BIN)/pip
	$(BIN)/pip install -q -e '.[test]'
	@$(BIN)/pip install -q --only-binary :all: 'pjsua2-python>=2.15' || echo "no wheel of pjsua2-python: its tests are skipped"
	@touch $@ $(VENV)/.installed

# What pip fetches by itself to build, here for setup.py.
$(VENV)/.building: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install -q $$($(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'])")
	@touch $@

# Debian keeps venv and the headers of Python in packages of their own.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed (PYTHON=...)'; exit 1; }
	@need=; \
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || need="$$need python3-venv"; \
	$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' || need="$$need python3-dev"; \
	command -v gcc >/dev/null || need="$$need gcc libc6-dev"; \
	if [ -n "$$need" ]; then \
		[ -n "$(APT)" ] || { echo "please install:$$need"; exit 1; }; \
		$(APT) update -q && $(APT) install -q -y --no-install-recommends $$need; \
	fi
	$(PYTHON) -m venv $(VENV)

format: $(VENV)/.tests
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info
	find switch codecs protocols -name '*.so' -delete
