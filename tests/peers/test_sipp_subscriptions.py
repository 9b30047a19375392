"""Busy lamps and texts over sipp: what is on the wire, step by step."""

from __future__ import annotations

import pytest

from switchroom.protocols.sip.packages.dialog_info import DialogInfo

from .conftest import Scene, next_name
from .harness import PASSWORD, wait_until
from .sipp import Ladder, Sipp, callee, caller, sdp

pytestmark = pytest.mark.peer("sipp")


def proven(ladder: Ladder, method: str, extra: str, body: str = "", **headers: str) -> Ladder:
    """A request outside of dialogs: refused with 401, then with credentials."""
    for proof in ("", f"[authentication username={ladder.user} password={ladder.password}]\n"):
        ladder.cseq += 1
        text = ladder._request(method, cseq=ladder.cseq, extra=extra + proof, body=body)
        head, _, rest = text.partition("\n\n")
        ladder.steps.append(
            f'<send retrans="500"><![CDATA[\n{head}\nContent-Length: [len]\n\n{rest}\n]]></send>'
        )
        if not proof:
            ladder.receive(401, auth="true")
    return ladder


def watcher(number: str, user: str, notifies: int) -> Ladder:
    """Watches a lamp: so many NOTIFYs, each answered, then the end."""
    ladder = proven(caller(number, user, PASSWORD), "SUBSCRIBE", "Event: dialog\nExpires: 300\n")
    ladder.receive(200, rrs="true", action=_target())
    for _ in range(notifies):
        ladder.receive("NOTIFY", timeout=8000).answer("200 OK", tag=False)
    ladder.is_in_dialog = ladder.has_target = True
    ladder.cseq += 1
    ladder.send(ladder._request("SUBSCRIBE", cseq=ladder.cseq, extra="Event: dialog\nExpires: 0\n"))
    ladder.receive(200)
    return ladder.receive("NOTIFY").answer("200 OK", tag=False)


def _target() -> str:
    return (
        '<ereg regexp="sip:[^&gt; ]*" search_in="hdr" header="Contact:" check_it="true" assign_to="target"/>'
    )


def test_a_lamp_follows_a_call(scene: Scene) -> None:
    lamp = scene.caller(watcher(scene.b, next_name(), 4))
    wait_until(lambda: lamp.received("NOTIFY"), 5, "the first NOTIFY")
    scene.callee(
        callee()
        .called()
        .answer("180 Ringing")
        .pause(500)
        .answer_invite("200 OK", sdp(), retrans=True)
        .receive("ACK")
        .end_of_call()
    )
    scene.caller(scene.ladder().invite(sdp()).answered().ack().pause(500).bye())
    scene.succeeds()
    infos = [DialogInfo.parse(m.partition("\n\n")[2].strip().encode()) for m in lamp.received("NOTIFY")]
    states = [[dialog.state for dialog in info.dialogs] for info in infos]
    assert states == [[], ["early"], ["confirmed"], ["terminated"], ["terminated"]]
    assert [info.version for info in infos] == [0, 1, 2, 3, 4]
    [ringing] = infos[1].dialogs
    assert ringing.direction == "recipient"
    assert ringing.remote is not None
    assert f"sip:{scene.a}@" in ringing.remote.uri
    # what would be enough to hang the call up is not shown
    record = scene.record()
    assert ringing.call_id not in (record["call_id_a"], record["call_id_b"])
    last = lamp.received("NOTIFY")[-1]
    assert "Subscription-State: terminated;reason=timeout" in last


def test_a_text_is_passed_on_and_its_answer_comes_back(scene: Scene) -> None:
    inbox = Ladder("inbox", []).receive("MESSAGE", timeout=10000).answer("200 OK")
    phone = Sipp(scene.folder, inbox, port=scene.register(scene.b)).wait_bound()
    scene.cast.append(phone)
    sender = caller(scene.b, scene.a, PASSWORD)
    scene.caller(proven(sender, "MESSAGE", "Content-Type: text/plain\n", "hello").receive(200))
    scene.succeeds()
    [message] = phone.received("MESSAGE")
    assert message.partition("\n\n")[2].strip() == "hello"
    assert f"From: <sip:{scene.a}@" in message
    assert "Contact:" not in message
    assert "Authorization" not in message


def test_without_a_password_it_is_challenged_and_for_nobody_it_is_404(scene: Scene) -> None:
    anonymous = caller(scene.b, scene.a)
    text = anonymous._request("MESSAGE", cseq=1, extra="Content-Type: text/plain\n", body="x")
    head, _, rest = text.partition("\n\n")
    anonymous.steps.append(f"<send><![CDATA[\n{head}\nContent-Length: [len]\n\n{rest}\n]]></send>")
    scene.caller(anonymous.receive(401))
    nobody = caller("7654321", scene.a, PASSWORD)
    scene.caller(proven(nobody, "MESSAGE", "Content-Type: text/plain\n", "x").receive(404))
    unknown = caller(scene.b, scene.a, PASSWORD)
    scene.caller(proven(unknown, "SUBSCRIBE", "Event: weather\n").receive(489))
    scene.succeeds()
