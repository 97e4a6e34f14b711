#!/usr/bin/env bash
# What the tests of the report's page and `make screencast` need: chromium of Debian, where one may install it, and what drives it.
# Playwright is given chromium's path, and downloads no browser of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/browser/requirements.txt
if ! command -v chromium > /dev/null && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  apt-get update -qq -o Acquire::Retries=5
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -o Acquire::Retries=5 --no-install-recommends chromium > /dev/null
fi
