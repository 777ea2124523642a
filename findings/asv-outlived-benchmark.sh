#!/usr/bin/env bash
# asv starts each benchmark in a process group of its own. Whoever runs asv as the leader of a group and ends that
# group, as a CI runner does at its time limit, ends asv and leaves the benchmark: it goes on computing, beside
# whatever is measured next. All descendants must be found and ended one by one.
set -euo pipefail
folder=$(mktemp -d)
trap 'pkill -f "$folder" || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check asv==0.6.6 virtualenv==20.29.3
export HOME=$folder/home
mkdir -p "$HOME" "$folder/project/benchmarks"
cd "$folder/project"
git init -q -b main
cat > asv.conf.json <<'JSON'
{"version": 1, "project": "slow", "repo": ".", "branches": ["main"], "environment_type": "existing"}
JSON
touch benchmarks/__init__.py
cat > benchmarks/slow.py <<PY
import os, time
def track_a_minute():
    open("$folder/benchmark", "w").write(f"{os.getpid()}\n")
    time.sleep(60)
    return 1
PY
git add -A
git -c user.name=someone -c user.email=someone@example.invalid commit -qm "a project"
"$folder/venv/bin/asv" machine --yes > "$folder/log"
"$folder/venv/bin/asv" --version
setsid "$folder/venv/bin/asv" run --quick --dry-run -E existing:same --launch-method spawn >> "$folder/log" 2>&1 &
asv=$!
for _ in $(seq 60); do
  [ -s "$folder/benchmark" ] && break
  sleep 1
done
benchmark=$(cat "$folder/benchmark")
kill -KILL -- "-$asv"
sleep 2
for name in asv benchmark; do
  if kill -0 "${!name}" 2>/dev/null; then echo "$name: runs"; else echo "$name: ended"; fi
done | tee "$folder/seen"
printf '%s\n' 'asv: ended' 'benchmark: runs' | diff - "$folder/seen"
