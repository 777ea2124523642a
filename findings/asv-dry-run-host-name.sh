#!/usr/bin/env bash
# `asv run --dry-run` is described as saving no results. It still writes two files into the results folder:
# benchmarks.json, and <machine>/machine.json in a folder named after the host. In a project that commits its results,
# as asv advises, a trial run so leaves the host's name among what `git add` takes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check asv==0.6.6 virtualenv==20.29.3
export HOME=$folder/home
mkdir -p "$HOME" "$folder/project/benchmarks"
cd "$folder/project"
git init -q -b main
cat > asv.conf.json <<'JSON'
{"version": 1, "project": "empty", "repo": ".", "branches": ["main"], "environment_type": "existing"}
JSON
touch benchmarks/__init__.py
echo 'def time_nothing(): pass' > benchmarks/nothing.py
git add -A
git -c user.name=someone -c user.email=someone@example.invalid commit -qm "a project"
"$folder/venv/bin/asv" machine --yes > "$folder/log"
"$folder/venv/bin/asv" run --quick --dry-run -E existing:same >> "$folder/log" 2>&1
"$folder/venv/bin/asv" --version
host=$(uname -n)
git status --porcelain --untracked-files=all | sed "s/$host/<host name>/" | LC_ALL=C sort | tee "$folder/seen"
printf '%s\n' '?? results/<host name>/machine.json' '?? results/benchmarks.json' | diff - "$folder/seen"
