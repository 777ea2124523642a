"""nnkernels preview: a server of the site that only this machine reaches, and that serves nothing else."""

import http.client
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

from nnkernels.errors import ConfigurationError, ResultsError
from nnkernels.report.dashboard import preview
from nnkernels.report.dashboard.preview import SiteServer, serve
from tests.command_line import run_command_in_process


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("secret")
    site = outside / "site"
    (site / "samples").mkdir(parents=True)
    (site / "index.html").write_text("<!DOCTYPE html><title>é</title>", encoding="utf-8")
    for name in ("samples/a.js", "rows.csv", "rows.json", "summary.md", "figure.svg", "figure.png"):
        (site / name).write_bytes(b"content")
    (site / "link.txt").symlink_to(outside / "secret.txt")
    return site


@pytest.fixture(scope="module")
def server(folder):
    with SiteServer(folder) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def ask(server):
    connection = http.client.HTTPConnection(*server.server_address, timeout=10)

    def asked(path, method="GET", **headers):
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response, response.read()

    yield asked
    connection.close()


def test_page_is_served_unchanged(ask, folder):
    response, content = ask("/")
    assert response.status == 200
    assert content == (folder / "index.html").read_bytes()
    assert response.getheader("Cache-Control") == "no-store"
    assert ask("/#compare=x")[1] == content


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/index.html", "text/html; charset=utf-8"),
        ("/samples/a.js", "text/javascript; charset=utf-8"),
        ("/rows.csv", "text/csv; charset=utf-8"),
        ("/rows.json", "application/json"),
        ("/summary.md", "text/markdown; charset=utf-8"),
        ("/figure.svg", "image/svg+xml"),
        ("/figure.png", "image/png"),
    ],
)
def test_kinds_of_files_do_not_depend_on_the_system(path, kind, ask):
    response, _ = ask(path)
    assert (response.status, response.getheader("Content-Type")) == (200, kind)


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/samples/..%2f..%2fsecret.txt",
        "//../secret.txt",
        "/samples/../../secret.txt",
        "/..\\secret.txt",
        "/link.txt",
        "/missing.html",
        "/samples/",
    ],
)
def test_nothing_outside_the_folder_and_no_list_of_files_is_served(path, ask):
    response, content = ask(path)
    assert response.status == 404
    assert content
    assert b"secret" not in content
    assert b"a.js" not in content


@pytest.mark.parametrize("host", ["example.org", "example.org:{port}", "127.0.0.1", "127.0.0.1:1", ""])
def test_request_under_another_name_is_refused(host, ask, server):
    for method in ("GET", "HEAD"):
        response, _ = ask("/index.html", method, Host=host.format(port=server.server_port))
        assert response.status == 421  # Misdirected Request


def test_localhost_is_accepted(ask, server):
    assert ask("/", Host=f"localhost:{server.server_port}")[0].status == 200


def test_nothing_can_be_changed(ask, folder):
    before = (folder / "index.html").read_bytes()
    for method in ("PUT", "POST", "DELETE"):
        assert ask("/index.html", method)[0].status == 501
    assert (folder / "index.html").read_bytes() == before


def test_server_listens_on_loopback_only(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.server_port}/"


def test_port_in_use_is_named(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} is in use.*--port"):
            SiteServer(folder, port)


@pytest.mark.parametrize("port", [-1, 65536, 10**9])
def test_impossible_port_is_named(port, folder):
    with pytest.raises(ConfigurationError, match=f"{port} is no port"):
        SiteServer(folder, port)


def test_folder_without_a_page_is_named(tmp_path):
    with pytest.raises(ResultsError, match=f"{re.escape(str(tmp_path))} contains no index.html.*publish --out"):
        SiteServer(tmp_path)


@pytest.mark.parametrize("wanted", [True, False])
def test_browser_is_opened_unless_it_is_not_wanted(wanted, folder, monkeypatch):
    server, opened, done = SiteServer(folder), [], threading.Event()

    def open_page(url):
        opened.append(url)
        done.set()

    def until_asked():
        assert not wanted or done.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(preview.webbrowser, "open", open_page)
    monkeypatch.setattr(server, "serve_forever", until_asked)
    serve(server, wanted)
    assert opened == ([server.url] if wanted else [])
    assert server.socket.fileno() == -1  # closed


def test_command_serves_a_site_until_ctrl_c_and_ends_with_status_0(folder):
    command = [sys.executable, "-m", "nnkernels.cli", "preview", str(folder), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_command_builds_a_site_in_a_temporary_folder_and_deletes_it(monkeypatch, capsys):
    from nnkernels.report.dashboard import site

    seen = []

    def publish_site(_root, folder, further_pages):
        folder.mkdir()
        (folder / "index.html").write_text("page")
        seen.append((folder, further_pages))
        return site.Published(folder / "index.html", ("a note on the site",))

    monkeypatch.setattr(site, "publish_site", publish_site)
    monkeypatch.setattr(preview, "serve", lambda server, _open: server.server_close())
    status, output, errors = run_command_in_process(["preview", "--dashboard-only"], monkeypatch, capsys)
    assert status == 0
    assert "http://127.0.0.1:" in output
    assert "a note on the site" in errors
    ((folder, further_pages),) = seen
    assert not further_pages
    assert not folder.exists()
    assert not folder.parent.exists()
