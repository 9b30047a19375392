"""Programs that drive modems take ours for one: each sends and receives through the simulator."""

from __future__ import annotations

import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import wait_until
from .modems import FIRST, SECOND, ModemSimulator, Program
from .ports import free_port


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[ModemSimulator]:
    with ModemSimulator(tmp_path) as running:
        yield running


def found_in(folder: Path, text: str) -> Path:
    """The file of a folder that has a text, as soon as there is one."""

    def look() -> Path | None:
        files = sorted(path for path in folder.iterdir() if path.is_file())
        return next((path for path in files if text in path.read_text(errors="replace")), None)

    return wait_until(look, 30.0, f"{text!r} in {folder}", interval=0.1)


@pytest.mark.peer("gammu")
def test_gammu(simulator: ModemSimulator, tmp_path: Path) -> None:
    def gammu(port: int, *arguments: str) -> str:
        config = tmp_path / f"gammurc{port}"
        config.write_text(f"[gammu]\ndevice = {simulator.port(port)}\nconnection = at\n")
        done = subprocess.run(
            ["gammu", "-c", str(config), *arguments],
            capture_output=True,
            text=True,
            timeout=40,
            stdin=subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # Each command takes it some four seconds
    long = "Grüße, жж 😀 " * 10
    simulator.order(f"send Bank {SECOND} Balance: 5")
    assert "OK" in gammu(1, "sendsms", "TEXT", SECOND, "-autolen", "400", "-unicode", "-text", long)
    simulator.wait_said("delivered: Bank to 491700000002")
    received = gammu(2, "geteachsms")
    assert long.strip() in received.replace("\n", "")
    assert f'"{FIRST}"' in received
    assert "Balance: 5" in received


@pytest.mark.peer("gammu-smsd")
def test_gammu_smsd(simulator: ModemSimulator, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("inbox", "outbox", "sent", "error")]
    for folder in folders:
        folder.mkdir()
    inbox, outbox, sent, _ = folders
    config = tmp_path / "smsdrc"
    config.write_text(
        f"[gammu]\ndevice = {simulator.port(1)}\nconnection = at\n"
        f"[smsd]\nservice = files\nlogfile = {tmp_path}/smsd.log\ncommtimeout = 1\nreceivefrequency = 1\n"
        f"inboxpath = {inbox}/\noutboxpath = {outbox}/\n"
        f"sentsmspath = {sent}/\nerrorsmspath = {tmp_path}/error/\ndebuglevel = 255\nloopsleep = 1\n"
        "deliveryreport = sms\nchecksecurity = 0\n"
    )
    simulator.order(f"send +4930123 {FIRST} stored before it came")
    simulator.wait_said("delivered: +4930123")
    with Program(tmp_path, "gammu-smsd", "gammu-smsd", "-c", str(config)):
        found_in(inbox, "stored before it came")
        (outbox / f"OUTC20260101_120000_00_{SECOND}_sms0.txtd").write_text("from gammu-smsd")
        simulator.wait_said(f"submitted: {FIRST} to 491700000002 from gammu-smsd")
        simulator.wait_said("reported: to 491700000001")
        simulator.order(f"send +4930123 {FIRST} told of while it ran")
        found_in(inbox, "told of while it ran")
        found_in(sent, "from gammu-smsd")


@pytest.mark.peer("smsd")
def test_smstools(simulator: ModemSimulator, tmp_path: Path) -> None:
    for name in ("outgoing", "checked", "incoming", "sent", "failed", "report"):
        (tmp_path / name).mkdir()
    config = tmp_path / "smsd.conf"
    config.write_text(
        "devices = GSM1\n"
        + "".join(f"{name} = {tmp_path}/{name}\n" for name in ("outgoing", "checked", "incoming", "sent"))
        + f"failed = {tmp_path}/failed\nreport = {tmp_path}/report\nlogfile = {tmp_path}/smsd.log\n"
        f"infofile = {tmp_path}/running\npidfile = {tmp_path}/pid\nstats = {tmp_path}\nloglevel = 7\n"
        "delaytime = 1\nreceive_before_send = no\n"
        f"[GSM1]\ndevice = {simulator.port(1)}\nincoming = yes\nrtscts = no\nreport = yes\n"
        "baudrate = 115200\ninit = AT+CNMI=2,1,0,2,0\nreport_device_details = no\n"
    )
    simulator.order(f"send +4930123 {FIRST} for smstools")
    with Program(tmp_path, "smsd", "smsd", f"-c{config}", "-t"):
        (tmp_path / "new").write_text(f"To: {SECOND[1:]}\nReport: yes\n\nfrom smstools")
        (tmp_path / "new").rename(tmp_path / "outgoing" / "message1")
        simulator.wait_said(f"submitted: {FIRST} to 491700000002 from smstools", 30.0)
        found_in(tmp_path / "incoming", "for smstools")
        found_in(tmp_path / "sent", "from smstools")
        assert "Status: 0" in found_in(tmp_path / "report", "SMS STATUS REPORT").read_text()


@pytest.mark.peer("bearerbox")
def test_kannel(simulator: ModemSimulator, tmp_path: Path) -> None:
    admin, box, http = free_port(), free_port(), free_port()
    config = tmp_path / "kannel.conf"
    config.write_text(
        f"group = core\nadmin-port = {admin}\nsmsbox-port = {box}\nadmin-password = x\n"
        f"admin-interface = 127.0.0.1\nsmsbox-interface = 127.0.0.1\nlog-file = {tmp_path}/bearerbox.log\n"
        "log-level = 0\nbox-allow-ip = 127.0.0.1\n\n"
        f"group = smsc\nsmsc = at\nsmsc-id = sim\nmodemtype = generic\ndevice = {simulator.port(1)}\n"
        f"my-number = {FIRST}\nvalidityperiod = 167\n\n"
        "group = modems\nid = generic\nname = Generic\ndetect-string = Switchroom\n"
        'init-string = "AT+CNMI=2,2,0,1,0"\nspeed = 115200\nsendline-sleep = 20\n\n'
        f"group = smsbox\nbearerbox-host = 127.0.0.1\nsendsms-port = {http}\nsendsms-interface = 127.0.0.1\n"
        f"log-file = {tmp_path}/smsbox.log\nlog-level = 0\n\n"
        'group = sendsms-user\nusername = u\npassword = p\nuser-allow-ip = "127.0.0.1"\n'
        f"default-sender = {FIRST}\n\n"
        'group = sms-service\nkeyword = default\ntext = "kannel heard: %a"\n'
    )
    with Program(tmp_path, "bearerbox", "bearerbox", "-v", "4", str(config)):
        log = tmp_path / "bearerbox.log"
        wait_until(
            lambda: log.exists() and "AT SMSC successfully opened" in log.read_text(errors="replace"),
            30.0,
            "the modem of kannel",
        )
        with Program(tmp_path, "smsbox", "smsbox", "-v", "4", str(config)):
            query = urllib.parse.urlencode(
                {"username": "u", "password": "p", "to": SECOND, "text": "from kannel"}
            )

            def is_taken() -> bool:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{http}/cgi-bin/sendsms?{query}") as answer:
                        return bool(answer.status == 202)
                except OSError:
                    return False

            wait_until(is_taken, 15.0, "kannel's smsbox", interval=0.3)
            simulator.wait_said(f"submitted: {FIRST} to 491700000002 from kannel", 30.0)
            simulator.order(f"send +4930123 {FIRST} hello kannel")
            simulator.wait_said("submitted: +491700000001 to 4930123 kannel heard: hello+kannel", 30.0)


def test_python_gsmmodem(simulator: ModemSimulator) -> None:
    modem_module = pytest.importorskip("gsmmodem.modem")
    received: list[str] = []
    modem = modem_module.GsmModem(
        simulator.port(1), 115200, smsReceivedCallbackFunc=lambda sms: received.append(sms.text)
    )
    modem.connect()
    try:
        assert modem.manufacturer == "Switchroom"
        assert modem.networkName == "Switchroom Sim"
        sms = modem.sendSms(SECOND, "from python-gsmmodem", waitForDeliveryReport=True, deliveryTimeout=15)
        assert sms.report.deliveryStatus == 0
        simulator.order(f"send +4930123 {FIRST} Grüße an python")
        wait_until(lambda: "Grüße an python" in received, 15.0, "the message")
        assert modem.sendUssd("*100#").message == "Your balance is 12.34"
    finally:
        modem.close()
