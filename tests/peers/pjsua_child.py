"""PJSIP's softphone in a process of its own: commands as lines of JSON in, events as lines of JSON out.

The library wants a thread that it knows; here it is the only one, and polls. ``pjsua.py`` is the other end.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from typing import Any

import pjsua2 as pj


def tell(event: str, **values: object) -> None:
    print(json.dumps({"event": event, **values}), flush=True)  # noqa: T201 - this is what it is for


class Call(pj.Call):  # type: ignore[misc]
    def __init__(self, phone: Phone, account: pj.Account, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, call_id)
        self.phone = phone
        self.number = phone.number_call(self)

    def onCallState(self, prm: Any) -> None:  # noqa: N802
        info = self.getInfo()
        tell(
            "call_state",
            call=self.number,
            state=info.stateText,
            status=info.lastStatusCode,
            reason=info.lastReason,
            remote=info.remoteUri,
            call_id=info.callIdString,
        )
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.phone.gone.append(self.number)

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        info = self.getInfo()
        for index, media in enumerate(info.media):
            tell("media", call=self.number, index=index, status=media.status, direction=media.dir)
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                audio = self.getAudioMedia(index)
                if self.phone.options.get("tone"):
                    self.phone.connect_files(audio)
                else:
                    audio.startTransmit(audio)  # an echo, so that something flows

    def onCallTransferStatus(self, prm: Any) -> None:  # noqa: N802
        tell("transfer_status", call=self.number, status=prm.statusCode, final=prm.finalNotify)

    def onCallTransferRequest(self, prm: Any) -> None:  # noqa: N802
        tell("transfer_request", call=self.number, to=prm.dstUri)
        made = Call(self.phone, self.phone.account)
        prm.newCall = made
        self.phone.keep.append(made)

    def onCallReplaced(self, prm: Any) -> None:  # noqa: N802
        tell("replaced", call=self.number)

    def onCallReplaceRequest(self, prm: Any) -> None:  # noqa: N802
        tell("replace_request", call=self.number)

    def onDtmfDigit(self, prm: Any) -> None:  # noqa: N802
        tell("dtmf", call=self.number, digit=prm.digit)


class Account(pj.Account):  # type: ignore[misc]
    def __init__(self, phone: Phone) -> None:
        super().__init__()
        self.phone = phone

    def onRegState(self, prm: Any) -> None:  # noqa: N802
        info = self.getInfo()
        tell("registration", is_active=info.regIsActive, status=prm.code, reason=prm.reason)

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        call = Call(self.phone, self, prm.callId)
        info = call.getInfo()
        tell("incoming", call=call.number, remote=info.remoteUri, message=prm.rdata.wholeMsg)

    def onInstantMessage(self, prm: Any) -> None:  # noqa: N802
        tell("message", sender=prm.fromUri, type=prm.contentType, text=prm.msgBody)

    def onInstantMessageStatus(self, prm: Any) -> None:  # noqa: N802
        tell("message_status", to=prm.toUri, text=prm.msgBody, status=prm.code)

    def onMwiInfo(self, prm: Any) -> None:  # noqa: N802
        tell("mwi", state=prm.state, message=prm.rdata.wholeMsg)


class Buddy(pj.Buddy):  # type: ignore[misc]
    def onBuddyState(self) -> None:  # noqa: N802
        info = self.getInfo()
        tell(
            "buddy",
            uri=info.uri,
            subscription=info.subStateName,
            status=info.presStatus.status,
            text=info.presStatus.statusText,
            activity=info.presStatus.activity,
            note=info.presStatus.note,
        )


def _secure(media: Any, srtp: str) -> None:
    """``srtp``: off, required, or required with keys and a suite: SDES AEAD_AES_256_GCM, DTLS."""
    keys, _, suite = srtp.partition(" ")
    media.srtpUse = pj.PJMEDIA_SRTP_DISABLED if srtp == "off" else pj.PJMEDIA_SRTP_MANDATORY
    media.srtpSecureSignaling = 0
    if keys in {"SDES", "DTLS"}:
        is_sdes = keys == "SDES"
        keying = pj.PJMEDIA_SRTP_KEYING_SDES if is_sdes else pj.PJMEDIA_SRTP_KEYING_DTLS_SRTP
        media.srtpOpt.keyings = pj.IntVector([keying])
    if suite:
        crypto = pj.SrtpCrypto()
        crypto.name = suite
        media.srtpOpt.cryptos = pj.SrtpCryptoVector([crypto])


class Phone:
    def __init__(self, options: dict[str, Any]) -> None:
        self.calls: dict[int, Call] = {}
        self.gone: list[int] = []
        self.keep: list[Any] = []
        self.last = 0
        self.endpoint = endpoint = pj.Endpoint()
        endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.maxCalls = 16
        config.logConfig.level = 5
        config.logConfig.consoleLevel = 0
        config.logConfig.filename = options["log"]
        config.medConfig.noVad = True
        endpoint.libInit(config)
        transport = pj.TransportConfig()
        transport.boundAddress = options["host"]
        transport.port = options["port"]
        kinds = {
            "udp": pj.PJSIP_TRANSPORT_UDP,
            "tcp": pj.PJSIP_TRANSPORT_TCP,
            "tls": pj.PJSIP_TRANSPORT_TLS,
        }
        if options["transport"] == "tls":
            transport.tlsConfig.CaListFile = options.get("ca", "")
            transport.tlsConfig.verifyServer = bool(options.get("ca"))
        self.transport = endpoint.transportCreate(kinds[options["transport"]], transport)
        endpoint.libStart()
        endpoint.audDevManager().setNullDev()
        for codec in endpoint.codecEnum2() if options.get("codec") else ():
            is_it = codec.codecId.startswith(options["codec"])
            endpoint.codecSetPriority(codec.codecId, 255 if is_it else 0)
        self.account: Account
        self.options = options

    def connect_files(self, audio: Any) -> None:
        """Say what is in one file, and write what is heard to another."""
        player, recorder = pj.AudioMediaPlayer(), pj.AudioMediaRecorder()
        player.createPlayer(self.options["tone"])
        recorder.createRecorder(self.options["heard"])
        player.startTransmit(audio)
        audio.startTransmit(recorder)
        self.keep += [player, recorder]

    def number_call(self, call: Call) -> int:
        self.last += 1
        self.calls[self.last] = call
        return self.last

    def run(self) -> None:
        tell("ready")
        rest = b""
        while True:
            self.endpoint.libHandleEvents(10)
            for number in self.gone:
                self.calls.pop(number, None)
            self.gone.clear()
            if select.select([0], [], [], 0)[0]:
                data = os.read(0, 65536)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    command = json.loads(line)
                    name = command.pop("do")
                    if name == "stop":
                        return
                    try:
                        tell("done", do=name, result=getattr(self, f"do_{name}")(**command))
                    except pj.Error as error:
                        tell("failed", do=name, reason=error.info(), status=error.status)

    # -- commands

    def do_register(
        self,
        user: str,
        password: str,
        registrar: str,
        expires: int = 300,
        mwi: bool = False,
        publish: bool = False,
    ) -> None:
        config = pj.AccountConfig()
        host = registrar.partition(":")[2].partition(";")[0]
        config.idUri = f"sip:{user}@{host}"
        config.regConfig.registrarUri = registrar
        config.regConfig.timeoutSec = expires
        config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", user, 0, password))
        config.sipConfig.transportId = self.transport
        config.mwiConfig.enabled = mwi
        config.presConfig.publishEnabled = publish
        config.mediaConfig.transportConfig.boundAddress = self.options["host"]
        config.mediaConfig.transportConfig.port = self.options["media_port"]
        config.mediaConfig.transportConfig.portRange = 40
        _secure(config.mediaConfig, self.options["srtp"])
        config.videoConfig.autoTransmitOutgoing = False
        self.account = Account(self)
        self.account.create(config)

    def do_unregister(self) -> None:
        self.account.setRegistration(False)

    def do_call(self, to: str) -> int:
        call = Call(self, self.account)
        prm = pj.CallOpParam(True)
        prm.opt.audioCount, prm.opt.videoCount = 1, 0
        call.makeCall(to, prm)
        return call.number

    def do_answer(self, call: int, status: int = 200) -> None:
        prm = pj.CallOpParam(True)
        prm.statusCode = status
        prm.opt.audioCount, prm.opt.videoCount = 1, 0
        self.calls[call].answer(prm)

    def do_hangup(self, call: int) -> None:
        self.calls[call].hangup(pj.CallOpParam())

    def do_hangup_if_up(self, call: int) -> None:
        """Some are hung up by the other side, at its own time."""
        if call in self.calls and self.calls[call].isActive():
            self.calls[call].hangup(pj.CallOpParam())

    def do_hangup_all(self) -> None:
        self.endpoint.hangupAllCalls()

    def do_hold(self, call: int) -> None:
        self.calls[call].setHold(pj.CallOpParam())

    def do_unhold(self, call: int) -> None:
        prm = pj.CallOpParam(True)
        prm.opt.flag = pj.PJSUA_CALL_UNHOLD
        prm.opt.audioCount, prm.opt.videoCount = 1, 0
        self.calls[call].reinvite(prm)

    def do_xfer(self, call: int, to: str) -> None:
        self.calls[call].xfer(to, pj.CallOpParam())

    def do_xfer_replaces(self, call: int, other: int) -> None:
        self.calls[call].xferReplaces(self.calls[other], pj.CallOpParam())

    def do_dtmf(self, call: int, digits: str) -> None:
        self.calls[call].dialDtmf(digits)

    def do_pause(self, seconds: float) -> None:
        """Let the calls go on for a while."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.endpoint.libHandleEvents(10)

    def do_message(self, to: str, text: str) -> None:
        buddy = pj.BuddyConfig()
        buddy.uri, buddy.subscribe = to, False
        made = Buddy()
        made.create(self.account, buddy)
        self.keep.append(made)
        prm = pj.SendInstantMessageParam()
        prm.content = text
        made.sendInstantMessage(prm)

    def do_watch(self, uri: str) -> None:
        config = pj.BuddyConfig()
        config.uri, config.subscribe = uri, True
        made = Buddy()
        made.create(self.account, config)
        made.subscribePresence(True)
        self.keep.append(made)

    def do_status(self, is_online: bool, note: str = "", activity: int = 0) -> None:
        status = pj.PresenceStatus()
        status.status = pj.PJSUA_BUDDY_STATUS_ONLINE if is_online else pj.PJSUA_BUDDY_STATUS_OFFLINE
        status.activity, status.note = activity, note
        self.account.setOnlineStatus(status)


def main() -> None:
    phone = Phone(json.loads(sys.argv[1]))
    phone.run()
    os._exit(0)  # the library's own farewell takes seconds, and its destructors another order


if __name__ == "__main__":
    main()
