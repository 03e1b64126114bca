"""Who gets into the console, and what the others get."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.console import API, Browser, console, read_answer
from tests.support.sdk_cluster import SdkCluster, sdk_cluster

from pocketmq.admin import Admin
from pocketmq.clock import ManualClock
from pocketmq.console.config import ConsoleConfig, ConsoleListenConfig
from pocketmq.console.problems import Problem
from pocketmq.console.server import ConsoleServer
from pocketmq.console.sessions import LoginGuard, Sessions
from pocketmq.console.users import UserFile
from pocketmq.errors import ConfigError
from pocketmq.message.topics import topic_problem

XSS = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg/onload=alert(3)>"
# Settings of RocketMQ that name a path, a command, an address or a place to write to.
DANGEROUS = (
    "rocketmqHome", "storePathRootDir", "storePathCommitLog", "storePathDLedgerCommitLog",
    "storePathEpochFile", "storePathBrokerIdentity", "filterServerNums", "namesrvAddr",
    "brokerIP1", "brokerIP2", "listenPort", "messageStorePlugIn", "configBlackList",
    "brokerConfigPath", "aclFile", "authConfigPath", "authenticationProvider",
    "tls.server.certPath", "tls.server.keyPath", "tls.server.trustCertPath", "tlsTestModeEnable",
    "metricsPromExporterHost", "metricsGrpcExporterTarget", "haMasterAddress", "transferMsgByHeap",
    "kvConfigPath", "rocksdbStorePath", "tieredStoreFilePath", "coldDataFlowControlEnable",
)  # fmt: skip


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SdkCluster]:
    async with sdk_cluster(tmp_path) as started:
        started.create_topic("orders")
        yield started


@pytest.fixture
async def browser(cluster: SdkCluster) -> AsyncIterator[Browser]:
    async with console(cluster.address) as opened:
        yield opened


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.json"
    UserFile(path).add("ann", "correct horse", "admin")
    UserFile(path).add("vic", "battery staple", "viewer")
    return path


@pytest.fixture
async def guarded(cluster: SdkCluster, users: Path) -> AsyncIterator[Browser]:
    async with console(cluster.address, users) as opened:
        yield opened


async def test_dangerous_settings_never_reach_the_broker(
    browser: Browser, cluster: SdkCluster
) -> None:
    async with Admin(cluster.address) as admin:
        (broker,) = await admin.clusters.brokers()
        before = await admin.brokers.settings(broker)
        for name in (*DANGEROUS, "a\nb", "x=y", "../x", ""):
            values = {"settings": {name: "/tmp/x; touch /tmp/owned"}}
            answer = await browser.write("PATCH", "/brokers/broker-a/0/settings", values)
            assert (answer.status, answer.error) == (422, "refused"), name
        # A safe setting cannot carry a second one in its value.
        smuggled = {"settings": {"brokerPermission": "6\nstorePathRootDir=/tmp/x"}}
        answer = await browser.write("PATCH", "/brokers/broker-a/0/settings", smuggled)
        assert answer.status in (400, 422)
        assert await admin.brokers.settings(broker) == before
        safe = {"settings": {"autoCreateTopicEnable": "false"}}
        answer = await browser.write("PATCH", "/brokers/broker-a/0/settings", safe)
        assert answer.status == 200
        assert (await admin.brokers.settings(broker))["autoCreateTopicEnable"] == "false"


async def test_path_tricks_find_no_file(browser: Browser) -> None:
    for path in (
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/..%5capp.py",
        "/static//etc/passwd",
        "/static/%00index.html",
        "/static/....//app.py",
        "/static/vendor/../../app.py",
        "/static/",
        "//etc/passwd",
        "/../../etc/passwd",
        "/static/.hidden",
    ):
        answer = await browser.ask("GET", path)
        assert (answer.status, answer.error) == (404, "not_found"), path


async def test_pages_are_found_by_exact_name_alone(tmp_path: Path) -> None:
    from pocketmq.console.pages import Pages

    (tmp_path / "outside.txt").write_text("secret")
    inside = tmp_path / "static"
    inside.mkdir()
    (inside / "index.html").write_text("<p>hello")
    (inside / ".env").write_text("secret")
    assert Pages(inside).names == ["index.html"]


async def test_every_answer_has_the_headers_that_browsers_obey(browser: Browser) -> None:
    for path in ("/", f"{API}/session", f"{API}/nothing", "/static/nothing.js"):
        headers = (await browser.ask("GET", path)).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers
    assert (await browser.get("/session")).headers["cache-control"] == "no-store"


async def test_header_injection_ends_as_text(browser: Browser) -> None:
    name = "orders%0d%0aSet-Cookie:%20a=b%0d%0aX-Evil:%201"
    answer = await browser.get(f"/topics/{name}")
    assert answer.status == 404
    assert "x-evil" not in answer.headers
    assert "set-cookie" not in answer.headers
    sent = await browser.post("/messages", {"topic": "orders", "body": "x"})
    evil = f"/messages/orders/{sent['id']}/body?x=%0d%0aX-Evil:1"
    assert "x-evil" not in (await browser.get(evil)).headers
    split = f"GET {API}/session HTTP/1.1\r\nHost: {browser.host}\r\nA: b\rX-Evil: 1\r\n\r\n"
    assert (await browser.raw(split.encode())).status == 400


async def test_two_lengths_or_hosts_are_refused(browser: Browser) -> None:
    host = f"Host: {browser.host}:{browser.port}\r\n"
    head = f"POST {API}/login HTTP/1.1\r\n{host}Content-Type: application/json\r\n"
    both = head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x"
    assert (await browser.raw(both.encode())).status == 400
    hosts = f"GET {API}/session HTTP/1.1\r\n{host}Host: evil.example\r\n\r\n"
    assert (await browser.raw(hosts.encode())).status in (400, 403)
    huge = f"GET {API}/session HTTP/1.1\r\n{host}X: {'a' * 100_000}\r\n\r\n"
    assert (await browser.raw(huge.encode())).status in (400, 431)


async def test_a_head_without_end_is_cut_off(browser: Browser) -> None:
    reader, writer = await asyncio.open_connection(browser.host, browser.port)
    writer.write(b"GET / HTTP/1.1\r\nX: ")
    with contextlib.suppress(ConnectionError):  # it may hang up before it has read all
        for _ in range(100):
            writer.write(b"a" * 10_000)
            await writer.drain()
        assert b" 400 " in await reader.read()
    assert writer.is_closing() or reader.at_eof()
    writer.close()


async def test_payloads_in_names_keys_and_bodies_come_back_inert(browser: Browser) -> None:
    assert topic_problem(XSS) is not None
    refused = await browser.write("POST", "/topics", {"name": XSS})
    assert (refused.status, refused.error) == (400, "bad_request")
    sent = await browser.post(
        "/messages",
        {"topic": "orders", "body": XSS, "keys": ["<b>k</b>"], "properties": {"p": XSS}},
    )
    path = f"/messages/orders/{sent['id']}"
    shown = await browser.get(path)
    assert shown.headers["content-type"] == "application/json"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.tree["body"]["views"]["text"] == XSS
    assert (shown.tree["keys"], shown.tree["properties"]["p"]) == (["<b>k</b>"], XSS)
    whole = await browser.get(f"{path}/body")
    assert whole.body.decode() == XSS
    assert whole.headers["content-type"] == "application/octet-stream"
    assert whole.headers["content-disposition"].startswith("attachment")
    told = await browser.get("/topics/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert (told.status, told.headers["content-type"]) == (404, "application/json")


async def test_writes_need_the_token_with_and_without_a_login(browser: Browser) -> None:
    body, kind = b'{"name": "forged"}', {"Content-Type": "application/json"}
    for headers in (kind, {**kind, "X-CSRF-Token": "guess"}, {**kind, "X-CSRF-Token": ""}):
        answer = await browser.ask("POST", f"{API}/topics", body, headers)
        assert (answer.status, answer.error) == (403, "csrf")
    assert (await browser.get("/topics/forged")).status == 404
    token = {**kind, "X-CSRF-Token": (await browser.tree("/session"))["csrf"]}
    foreign = {**token, "Origin": "http://evil.example"}
    answer = await browser.ask("POST", f"{API}/topics", body, foreign)
    assert (answer.status, answer.error) == (403, "csrf")
    own = {**token, "Origin": f"http://{browser.host}:{browser.port}"}
    assert (await browser.ask("POST", f"{API}/topics", body, own)).status == 201


async def test_a_form_of_another_page_is_no_request(browser: Browser) -> None:
    token = (await browser.tree("/session"))["csrf"]
    for kind in ("", "text/plain", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": kind, "X-CSRF-Token": token}
        answer = await browser.ask("POST", f"{API}/topics", b'{"name": "x"}', headers)
        assert (answer.status, answer.error) == (415, "media_type"), kind


async def test_a_foreign_host_name_gets_nothing(browser: Browser) -> None:
    for host in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "a:b:c"):
        answer = await browser.ask("GET", f"{API}/session", headers={"Host": host})
        assert (answer.status, answer.error) == (403, "host"), host


async def test_the_console_answers_to_its_address_and_to_names_it_was_given(
    cluster: SdkCluster,
) -> None:
    async with console(cluster.address, host_names=("mq.example",)) as browser:
        for host in ("localhost:80", "127.0.0.1", "[::1]:8080", "MQ.example", "mq.example.:1"):
            assert (await browser.get("/session", Host=host)).status == 200, host


async def test_a_body_of_a_gibibyte_is_refused_at_once(browser: Browser) -> None:
    head = (
        f"POST {API}/messages HTTP/1.1\r\nHost: {browser.host}\r\n"
        "Content-Type: application/json\r\n"
    )
    reader, writer = await asyncio.open_connection(browser.host, browser.port)
    writer.write(f"{head}Content-Length: {2**30}\r\n\r\n".encode())
    answer = await read_answer(reader)  # not a byte of the body was sent
    assert (answer.status, answer.error) == (413, "too_large")
    assert await reader.read() == b""  # it hangs up
    writer.close()


async def test_a_body_without_a_length_is_counted(cluster: SdkCluster) -> None:
    async with console(cluster.address, request_bytes_max=64 * 1024) as browser:
        token = (await browser.tree("/session"))["csrf"]
        head = (
            f"POST {API}/messages HTTP/1.1\r\nHost: {browser.host}\r\nX-CSRF-Token: {token}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection(browser.host, browser.port)
        writer.write(head.encode())
        chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
        writer.write(chunk * 5)
        answer = await read_answer(reader)
        assert (answer.status, answer.error) == (413, "too_large")
        writer.close()


async def test_bodies_that_make_no_sense_are_refused(browser: Browser) -> None:
    token = (await browser.tree("/session"))["csrf"]
    headers = {"Content-Type": "application/json", "X-CSRF-Token": token}
    bodies = (b"", b"[]", b"nul", b'{"name": 3}', b'{"name": "x", "y": 1}', b"[" * 60_000, b"\xff")
    for body in bodies:
        answer = await browser.ask("POST", f"{API}/topics", body, headers)
        assert (answer.status, answer.error) == (400, "bad_request"), body[:20]


async def test_nothing_is_shown_before_a_login(guarded: Browser) -> None:
    session = await guarded.tree("/session")
    assert (session["auth"], session["user"], session["csrf"]) == (True, None, None)
    for path in ("/overview", "/topics", "/messages?topic=orders", "/events", "/openapi.json"):
        answer = await guarded.get(path)
        assert (answer.status, answer.error) == (401, "login_needed"), path
    answer = await guarded.write("POST", "/topics", {"name": "x"})
    assert (answer.status, answer.error) == (401, "login_needed")


async def test_a_login_opens_a_session_whose_cookie_scripts_cannot_read(guarded: Browser) -> None:
    wrong = await guarded.login("ann", "incorrect horse")
    assert (wrong.status, wrong.error) == (401, "login_failed")
    assert "set-cookie" not in wrong.headers
    answer = await guarded.login("ann", "correct horse")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert (answer.tree["user"], answer.tree["role"]) == ("ann", "admin")
    assert (await guarded.write("POST", "/topics", {"name": "made"})).status == 201
    stolen = guarded.cookie
    assert (await guarded.write("POST", "/logout", {})).status == 200
    guarded.cookie = stolen
    assert (await guarded.get("/topics")).status == 401


async def test_a_cookie_alone_does_not_write(guarded: Browser) -> None:
    await guarded.login("ann", "correct horse")
    headers = {"Content-Type": "application/json"}
    answer = await guarded.ask("POST", f"{API}/topics", b'{"name": "x"}', headers)
    assert (answer.status, answer.error) == (403, "csrf")
    other = Browser(guarded.server)
    await other.login("vic", "battery staple")
    guarded.csrf = other.csrf
    answer = await guarded.write("POST", "/topics", {"name": "x"})
    assert (answer.status, answer.error) == (403, "csrf")


async def test_a_viewer_looks_and_changes_nothing(guarded: Browser) -> None:
    await guarded.login("vic", "battery staple")
    assert (await guarded.get("/topics")).status == 200
    tried = await guarded.write("POST", "/filters/test", {"expression": "a = 1", "properties": {}})
    assert tried.status == 200
    for method, path, body in (
        ("POST", "/topics", {"name": "x"}),
        ("PUT", "/topics/orders", {"queues": 1}),
        ("DELETE", "/topics/orders", None),
        ("POST", "/messages", {"topic": "orders", "body": "x"}),
        ("PATCH", "/brokers/broker-a/0/settings", {"settings": {"brokerPermission": "2"}}),
        ("POST", "/offsets/skip", {"group": "g", "topic": "orders"}),
    ):
        answer = await guarded.write(method, path, body)
        assert (answer.status, answer.error) == (403, "not_allowed"), path


async def test_no_endpoint_that_writes_is_open_to_viewers_by_mistake() -> None:
    from pocketmq.console.app import endpoints

    open_writes = {
        endpoint.path for endpoint in endpoints() if endpoint.viewers and endpoint.method != "GET"
    }
    assert open_writes == {"/login", "/logout", "/filters/test"}


async def test_a_read_only_console_changes_nothing(cluster: SdkCluster) -> None:
    async with console(cluster.address, read_only=True) as browser:
        answer = await browser.write("POST", "/topics", {"name": "x"})
        assert (answer.status, answer.error) == (403, "not_allowed")


async def test_scripts_send_their_password_along(guarded: Browser) -> None:
    async def ask(credentials: str) -> int:
        packed = base64.b64encode(credentials.encode()).decode()
        headers = {"Authorization": f"Basic {packed}", "Content-Type": "application/json"}
        name = json.dumps({"name": credentials.partition(":")[0]}).encode()
        return (await guarded.ask("POST", f"{API}/topics", name, headers)).status

    assert await ask("ann:correct horse") == 201
    assert await ask("vic:battery staple") == 403
    assert await ask("ann:guess") == 401
    assert await ask("nobody:guess") == 401


async def test_passwords_cannot_be_tried_quickly(guarded: Browser) -> None:
    statuses = [(await guarded.login("ann", f"guess {turn}")).status for turn in range(6)]
    assert statuses == [401] * 5 + [429]
    answer = await guarded.login("ann", "correct horse")  # the right one has to wait, too
    assert (answer.status, answer.error) == (429, "too_many")
    assert int(answer.headers["retry-after"]) >= 1


def test_who_fails_waits_longer_each_time_and_is_forgotten_in_the_end() -> None:
    clock = ManualClock()
    guard = LoginGuard(clock)
    for _ in range(5):
        guard.check("ann", "10.0.0.1")
        guard.failed("ann", "10.0.0.1")
    waits = []
    for _ in range(9):
        with pytest.raises(Problem) as refused:
            guard.check("ann", "10.0.0.2")  # counted by name, wherever it comes from
        waits.append(int(refused.value.headers["Retry-After"]))
        clock.advance(seconds=waits[-1])
        guard.check("ann", "10.0.0.2")
        guard.failed("ann", "10.0.0.1")
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    clock.advance(seconds=1000)
    guard.failed("ann", "10.0.0.1")
    guard.check("ann", "10.0.0.1")


def test_what_is_remembered_of_failures_and_sessions_is_bounded(users: Path) -> None:
    guard = LoginGuard(ManualClock())
    for number in range(5000):
        guard.failed(f"user {number}", f"10.0.{number // 250}.{number % 250}")
    assert len(guard) <= 2000


async def test_a_session_ends_when_it_is_not_used_or_its_user_is_gone(users: Path) -> None:
    clock = ManualClock()
    sessions = Sessions(UserFile(users), clock, hours=1, sessions_max=2)
    token, visitor = await sessions.login("ann", "correct horse", "a")
    assert visitor.role == "admin"
    assert await sessions.visitor(token, None, "a") is not None
    clock.advance(hours=2)
    assert await sessions.visitor(token, None, "a") is None
    token, _ = await sessions.login("vic", "battery staple", "a")
    UserFile(users).remove("vic")
    assert await sessions.visitor(token, None, "a") is None
    tokens = [(await sessions.login("ann", "correct horse", "a"))[0] for _ in range(3)]
    assert await sessions.visitor(tokens[0], None, "a") is None
    assert await sessions.visitor(tokens[2], None, "a") is not None
    sessions.users.close()


async def test_a_stream_ends_with_its_session(guarded: Browser) -> None:
    await guarded.login("ann", "correct horse")
    async with guarded.events() as events:
        await events.next("overview")
        await guarded.write("POST", "/logout", {})
        guarded.desk.live.tell("task", {})
        await events.end()
    assert not guarded.desk.live.is_watched_now


async def test_a_public_address_needs_users(cluster: SdkCluster, users: Path) -> None:
    public = ConsoleConfig(listen=ConsoleListenConfig(host="0.0.0.0", port=0))
    async with Admin(cluster.address) as admin:
        with pytest.raises(ConfigError, match="open to everybody"):
            await ConsoleServer(public, admin).start()
        for allowed in (replace(public, users=users), replace(public, open_to_all=True)):
            server = ConsoleServer(allowed, admin)
            await server.start()
            await server.stop()
        broken = users.with_name("broken.json")
        broken.write_text('{"users": {"ann": {"role": "root", "password": "x"}}}')
        with pytest.raises(ConfigError, match="cannot be understood"):
            await ConsoleServer(replace(public, users=broken), admin).start()


def test_passwords_are_kept_as_salted_hashes_in_a_file_of_ones_own(users: Path) -> None:
    text = users.read_text()
    assert "correct horse" not in text
    assert users.stat().st_mode & 0o777 == 0o600
    UserFile(users).add("bob", "correct horse", "admin")
    kept = {name: user.password for name, user in UserFile(users).users().items()}
    assert kept["ann"] != kept["bob"]
    for name, password, role in (("a b", "x" * 8, "admin"), ("a", "short", "admin")):
        with pytest.raises(ConfigError):
            UserFile(users).add(name, password, role)
