"""The how-to for several users of one machine, followed by two users: neither can read what the other has."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.demo.play import QUIET
from standin import StandIn
from tests.corporate import Corporate
from tests.e2e.codex import Ran
from tests.e2e.conftest import ONE_TRANSPORT
from tests.harness import MITMDUMP, PATIENCE, Output, fill, plain_environment, write_login
from tests.test_commands_in_docs import FENCED, ROOT, free_port, lines_of
from tests.users import OTHER, User, as_user, users, why_no_programs

pytestmark = pytest.mark.skipif(bool(why_no_programs()), reason=why_no_programs())

PAGE = ROOT / "docs" / "how-to" / "team-machine.md"
OWNER = OTHER - 1
MOST_SECONDS = 60
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def section(name: str) -> list[str]:
    """The command lines under a heading of the page."""
    parts = HEADING.split(PAGE.read_text("utf-8"))
    text = parts[parts.index(name) + 1]
    found = [line.strip() for _, _, fence in FENCED.findall(text) for line in fence.splitlines() if line.strip()]
    assert found
    assert set(found) <= set(lines_of(PAGE))
    return found


@dataclass
class Team:
    """An owner with a pool, another user with the official client and a login of their own, and nobody else."""

    upstream: StandIn
    owner: User
    guest: User
    port: int
    tools: Path

    def environ(self, user: User) -> dict[str, str]:
        path = f"{self.tools}:{MITMDUMP.parent}:/usr/local/bin:/usr/bin:/bin"
        home = {"HOME": str(user.home), "PATH": path, "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1"}
        return plain_environment() | home | {"CODEX_REFRESH_TOKEN_URL_OVERRIDE": self.upstream.token_url}

    def says(self, user: User, line: str, **more: str) -> Ran:
        """One command line in this user's shell."""
        command = [*as_user(user), "bash", "-c", line]
        done = subprocess.run(
            command, env=self.environ(user) | more, cwd=user.home, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=MOST_SECONDS, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    def hand_over(self, name: str) -> None:
        """What an administrator does."""
        (self.guest.home / name).write_bytes((self.owner.home / name).read_bytes())
        (self.guest.home / name).chmod(0o600)
        self.guest.owns(self.guest.home / name)


@pytest.fixture
def team(binary: Path, transport: str, tmp_path: Path) -> Iterator[Team]:
    with ExitStack() as stack:
        upstream = stack.enter_context(StandIn())
        company = stack.enter_context(Corporate({443: upstream.port, 80: upstream.plain_port}, "ann", "right"))
        owner, guest = stack.enter_context(users(OWNER, OTHER))
        tools = owner.home.parent / "tools"
        tools.mkdir(mode=0o755)
        quiet = " ".join(f"-c {shlex.quote(each)}" for each in QUIET)
        (tools / "codex").write_text(f'#!/bin/sh\nexec {shlex.quote(str(binary))} "$@" --skip-git-repo-check {quiet}\n')
        (tools / "codex").chmod(0o755)
        pool = owner.home / ".local" / "share" / "codex-rotate"
        fill(pool, [upstream.add_account("acc-1")], tmp_path)
        (pool / "config.toml").write_text(f'upstream_proxy = "{company.url("ann", "right")}"\n')
        (owner.home / "upstream.pem").write_bytes(upstream.ca_file.read_bytes())
        (pool / "ca").mkdir(mode=0o700)
        settings = {"ssl_verify_upstream_trusted_ca": str(owner.home / "upstream.pem"), "rotate_transport": transport}
        (pool / "ca" / "config.yaml").write_text(json.dumps(settings))
        owner.owns(owner.home)
        (guest.home / ".codex").mkdir(mode=0o700)
        write_login(upstream.add_account("acc-guest", expires_in=3600), guest.home / ".codex" / "auth.json")
        guest.owns(guest.home)
        yield Team(upstream, owner, guest, free_port(), tools)


@ONE_TRANSPORT
def test_the_how_to_works_for_two_users(team: Team) -> None:
    """Before the second one has joined, the client says that it is another user's proxy, and what to do about it."""
    give, join, take_back = section("Give somebody a key"), section("Join with it"), section("Take a key back")
    serves = [line for line in give if line == "codex-rotate serve"]
    with serving(team, f"{serves[0]} --listen 127.0.0.1:{team.port}"):
        refused_without_joining(team)
        for line in give:
            if line not in serves:
                done = team.says(team.owner, line)
                assert done.code == 0, f"{line}: {done.err}"
        assert team.says(team.guest, f"cat {team.owner.home}/ann.toml").code == 1
        team.hand_over("ann.toml")

        joining, turn, leaving = join
        done = team.says(team.guest, joining)
        assert done.code == 0, done.err
        done = team.says(team.guest, turn)
        assert (done.code, done.out) == (0, "Hello from acc-1.\n"), done.err
        seen = [each.account_id for each in team.upstream.requests_to("/backend-api/codex/responses")]
        assert set(seen) == {"acc-1"}
        assert "answers" in team.says(team.guest, "codex-rotate status").out
        assert not (team.guest.home / ".local/share/codex-rotate/ca").exists()

        for line in take_back:
            assert team.says(team.owner, line).code == 0
        done = team.says(team.guest, turn)
        assert (done.code, done.out) == (1, "")
        assert "does not take the key of ann any more" in done.err
        assert team.says(team.guest, leaving).code == 0
        assert len(team.upstream.requests_to("/backend-api/codex/responses")) == len(seen)


def refused_without_joining(team: Team) -> None:
    """The owner is served; the other user is not, whatever certificate they have."""
    url = f"http://127.0.0.1:{team.port}"
    named = team.says(team.owner, "codex-rotate env --json")
    assert json.loads(named.out)["HTTPS_PROXY"] == url
    for command in ("env", "bind"):
        done = team.says(team.guest, f"codex-rotate {command} --proxy {url}")
        assert (done.code, done.out) == (1, "")
        assert "codex-rotate join FILE" in done.err
    certificate = team.guest.home / "stolen.pem"
    certificate.write_bytes((team.owner.home / ".local/share/codex-rotate/ca/trusted.pem").read_bytes())
    team.guest.owns(certificate)
    done = team.says(team.guest, 'codex exec "say hi"', HTTPS_PROXY=url, CODEX_CA_CERTIFICATE=str(certificate))
    assert (done.code, done.out) == (1, "")
    assert "This codex-rotate proxy serves the user who runs it, and this client is another user's." in done.err
    assert "codex_rotate_other_user" in done.err
    assert "Reconnecting" not in done.err
    assert team.upstream.requests == ()


@contextmanager
def serving(team: Team, line: str) -> Iterator[None]:
    """A line of the owner's that goes on until it is stopped."""
    process = subprocess.Popen(
        [*as_user(team.owner), "bash", "-c", f"exec {line}"], env=team.environ(team.owner), cwd=team.owner.home,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    output = Output(process)
    try:
        output.wait_for("listening at", seconds=30)
        yield
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE * 2)
        finally:
            process.kill()
            output.close()
