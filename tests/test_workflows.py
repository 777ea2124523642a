"""The GitHub workflows: who may write what, and the scripts that keep the history of the hosted runners."""

import os
import re
import subprocess
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

WORKFLOWS = sorted((Path(__file__).parents[1] / ".github" / "workflows").glob("*.yml"))
DASHBOARD = yaml.safe_load((WORKFLOWS[0].parent / "dashboard.yml").read_text("utf-8"))
JOBS = DASHBOARD["jobs"]
# Words in a script that run code of the repository, or of packages from the network.
RUNS_CODE = re.compile(r"\b(python3?|pip|nnkernels|asv|\.ci/run|make|npm)\b")


def scripts(job):
    return [step["run"] for step in job["steps"] if "run" in step]


def script(job, name):
    (found,) = [step["run"] for step in JOBS[job]["steps"] if step.get("name") == name]
    return found


def test_pull_requests_never_get_a_token_that_writes():
    for path in WORKFLOWS:
        assert "pull_request_target" not in path.read_text("utf-8")
    assert DASHBOARD["permissions"] == {}
    assert JOBS["check"]["permissions"] == {"contents": "read"}
    for name, job in JOBS.items():
        if name == "check":
            continue
        needed = [job, *(JOBS[other] for other in [job.get("needs")] if other)]
        conditions = " ".join(one.get("if", "") for one in needed)
        assert "!= 'pull_request'" in conditions or "== 'schedule'" in conditions or job["needs"] == "build"


def test_job_that_may_write_runs_no_code_of_the_repository():
    writing = [job for job in JOBS.values() if "write" in job["permissions"].values()]
    assert len(writing) == 2
    for job in writing:
        assert not any(RUNS_CODE.search(text) for text in scripts(job))
    for job in JOBS.values():
        if job not in writing:
            assert any(RUNS_CODE.search(text) for text in scripts(job))
            assert job["permissions"] == {"contents": "read"}


def test_code_runs_without_the_credentials_of_the_checkout_and_with_the_full_history():
    for job in JOBS.values():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["fetch-depth"] == 0
                assert (step["with"].get("persist-credentials") is False) == (
                    "write" not in job["permissions"].values()
                )


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_githubs_own_at_a_major_version(path):
    used = re.findall(r"uses: (\S+)", path.read_text("utf-8"))
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", name) for name in used)


def test_prefix_of_the_machine_is_accepted(monkeypatch):
    from nnkernels.measure.records import provenance

    monkeypatch.setenv(provenance.MACHINE_PREFIX, DASHBOARD["env"][provenance.MACHINE_PREFIX])
    assert provenance.machine_name().startswith("github-hosted-")


class Checkout:
    """A clone with a bare repository as its origin, in which scripts of the workflow run."""

    def __init__(self, folder):
        self.folder, self.temporary = folder / "clone", folder / "temp"
        self.temporary.mkdir()
        self.origin = folder / "origin.git"
        author = {f"GIT_{role}_{key}": "x@y.invalid" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self.environment = clean | author | {"RUNNER_TEMP": str(self.temporary), "HISTORY": "hosted-results"}
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", self.origin], check=True)
        self.clone()

    def clone(self):
        subprocess.run(["rm", "-rf", self.folder], check=True)
        subprocess.run(["git", "clone", "-q", self.origin, self.folder], check=True, capture_output=True)

    def run(self, text):
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, check=True, capture_output=True, text=True
        ).stdout

    def write(self, name, text):
        path = self.folder / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_runs_of_hosted_runners_gather_in_a_branch_and_are_added_to_the_results_of_main(tmp_path):
    checkout = Checkout(tmp_path)
    (checkout.folder / "code.py").write_text("code")
    checkout.write("runs/own/run.json", "own")
    checkout.write("asv/benchmarks.json", "main")
    checkout.run("git add . && git commit -qm main && git push -q origin HEAD:main")
    build = script("build", "Add the history of the hosted runners")
    checkout.clone()
    checkout.run(build)  # before the first run there is no such branch
    assert checkout.run("git status --porcelain") == ""
    for number in (1, 2):
        checkout.clone()
        checkout.write(f"runs/hosted-{number}/run.json", f"run {number}")
        checkout.write(f"asv/github-hosted-cpu/{number}.json", "asv")
        checkout.write("asv/benchmarks.json", "changed")
        checkout.run(script("measure", "Collect the new files of the results"))
        checkout.clone()  # the next job has a checkout of its own
        checkout.run(script("record", "Commit the files to a branch of their own"))
    assert checkout.run("git log --format=%s origin/hosted-results").splitlines() == ["A run of a hosted runner"] * 2
    checkout.clone()
    checkout.run(build)
    found = {
        str(path.relative_to(checkout.folder)): path.read_text() for path in checkout.folder.glob("results/**/*.json")
    }
    assert found == {
        "results/runs/own/run.json": "own",
        "results/runs/hosted-1/run.json": "run 1",
        "results/runs/hosted-2/run.json": "run 2",
        "results/asv/github-hosted-cpu/1.json": "asv",
        "results/asv/github-hosted-cpu/2.json": "asv",
        "results/asv/benchmarks.json": "main",
    }
    assert checkout.run("git ls-tree --name-only origin/hosted-results").split() == ["results"]


@pytest.mark.parametrize(
    ("status", "summary", "expected"),
    [(0, "fine", 0), (1, "slower", 1), (2, "undecided", 0), (2, "", 2), (1, "", 1)],
)
def test_check_fails_if_something_is_slower_or_nothing_was_measured(status, summary, expected, tmp_path):
    fake = tmp_path / "nnkernels"
    fake.write_text(f"#!/bin/sh\necho \"$@\" > arguments\nprintf '%s' '{summary}'\nexit {status}\n")
    fake.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "shown.md"),
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script("check", "Measure both on this runner")]
    answer = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert answer.returncode == expected
    assert (tmp_path / "shown.md").read_text() == summary
    assert ("::warning::" in answer.stdout) == (expected != status)
    assert (tmp_path / "arguments").read_text().split()[:3] == ["check", "HEAD^1", "--markdown"]
