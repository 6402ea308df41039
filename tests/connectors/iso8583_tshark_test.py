#!/usr/bin/env python3
"""Wireshark's dissector, which we did not write, reads a conversation between connector and bank.

  iso8583_tshark_test.py CONVERSATION_PROGRAM FLORIN_BANKSIM PACKAGINGS_FOLDER

A recording proxy stands between the two programs. The bytes become a capture file; tshark decodes
it. Checked: no message is malformed or draws a complaint, every message is there, and the fields
are those that were sent. Needs tshark.
"""
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

CONVERSATION, BANKSIM, PACKAGINGS = sys.argv[1:4]
PORT = 8583  # of the host, in the capture file only
# Broken messages, and anything that tshark warns of (severity 0x600000) or calls an error.
COMPLAINTS = "_ws.malformed or iso8583.MALFORMED or _ws.expert.severity >= 6291456"


class RecordingProxy:
    """One connection through; keeps (from_client, bytes) in the order seen."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.seen = []
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        client, _ = self.listener.accept()
        bank = socket.create_connection(self.target)
        back = threading.Thread(target=self.pump, args=(bank, client, False))
        back.start()
        self.pump(client, bank, True)
        back.join()
        for each in (client, bank, self.listener):
            each.close()

    def pump(self, source, sink, from_client):
        while data := source.recv(65536):
            with self.lock:
                self.seen.append((from_client, data))
            sink.sendall(data)
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(from_client, payload, sequence, acknowledged, flags):
    ports = (40000, PORT) if from_client else (PORT, 40000)
    ends = (b"\x7f\0\0\2", b"\x7f\0\0\1") if from_client else (b"\x7f\0\0\1", b"\x7f\0\0\2")

    def tcp(check):
        return struct.pack(">HHIIBBHHH", *ports, sequence, acknowledged, 0x50, flags, 65535, check, 0)

    pseudo = ends[0] + ends[1] + struct.pack(">BBH", 0, 6, 20 + len(payload))
    segment = tcp(checksum(pseudo + tcp(0) + payload)) + payload

    def ip(check):
        return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, check) + ends[0] + ends[1]

    return ip(checksum(ip(0))) + segment


def write_capture(path, seen):
    """A classic pcap file of raw IP packets: a handshake, then the pieces as they were seen."""
    at = {True: 1000, False: 5000}
    packets = [
        packet(True, b"", at[True], 0, 0x02),
        packet(False, b"", at[False], at[True] + 1, 0x12),
        packet(True, b"", at[True] + 1, at[False] + 1, 0x10),
    ]
    at = {side: value + 1 for side, value in at.items()}
    for from_client, data in seen:
        packets.append(packet(from_client, data, at[from_client], at[not from_client], 0x18))
        at[from_client] += len(data)
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for number, each in enumerate(packets):
            out.write(struct.pack("<IIII", 1795525445, number, len(each), len(each)) + each)


def converse(folder, packaging, mac=None):
    """`mac` is (algorithm, "key" or "kek", file)."""
    bank_flags, flags = [], []
    if mac is not None:
        algorithm, kind, file = mac
        bank_flags, flags = ["--mac", algorithm, f"--mac-{kind}", file], [algorithm, kind, file]
    bank = subprocess.Popen(
        [BANKSIM, "--data-dir", os.path.join(folder, "bank"), "--listen", "127.0.0.1:0",
         "--packaging", packaging, *bank_flags],
        stdout=subprocess.PIPE, text=True,
    )
    try:
        host, port = json.loads(bank.stdout.readline())["address"].rsplit(":", 1)
        proxy = RecordingProxy((host, int(port)))
        said = subprocess.run(
            [CONVERSATION, str(proxy.port), packaging, *flags], capture_output=True, text=True, timeout=60
        )
        proxy.thread.join(10)
        return said, proxy.seen
    finally:
        bank.terminate()
        bank.wait()
        bank.stdout.close()


class Ascii(unittest.TestCase):
    PACKAGING = "1987_ascii.toml"
    CHARSET = "Digits represented as ASCII Characters"

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="florin-tshark-")
        packaging = os.path.join(cls.folder.name, cls.PACKAGING)
        with open(os.path.join(PACKAGINGS, cls.PACKAGING), encoding="utf-8") as ours, \
                open(packaging, "w", encoding="utf-8") as theirs:
            theirs.write(cls.as_tshark_has_it(ours.read()))
        cls.said, cls.seen = converse(cls.folder.name, packaging)
        cls.capture = os.path.join(cls.folder.name, "conversation.pcap")
        write_capture(cls.capture, cls.seen)
        cls.messages = cls.decode(cls.capture)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def as_tshark_has_it(cls, packaging):
        """Fields 86 to 89 of 1987 have 16 digits in most tables, and 15 in that of tshark."""
        for field in (86, 87, 88, 89):
            packaging = packaging.replace(f'\n{field} = ["n16"', f'\n{field} = ["n15"')
        return packaging

    @classmethod
    def tshark(cls, path, *flags):
        return subprocess.run(
            ["tshark", "-n", "-r", path, "-d", f"tcp.port=={PORT},iso8583",
             "-o", "iso8583.len_endian:Big endian", "-o", "iso8583.binencode:Bin data not encoded",
             "-o", f"iso8583.charset:{cls.CHARSET}", *flags],
            capture_output=True, text=True, check=True,
        ).stdout

    FIELDS = ["mti"] + [f"bit{n}" for n in (2, 3, 4, 7, 11, 12, 15, 22, 24, 25, 26, 28, 30, 32, 37, 38, 39, 41, 42,
                                            43, 48, 49, 50, 56, 66, 70, 74, 75, 76, 77, 86, 87, 88, 89, 90, 95, 97)]

    @classmethod
    def decode(cls, capture):
        flags = ["-Y", "iso8583", "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a",
                 "-E", "aggregator=|"]
        for field in cls.FIELDS:
            flags += ["-e", f"iso8583.{field}"]
        rows = [line.split("\t") for line in cls.tshark(capture, *flags).splitlines()]
        return [dict(zip(cls.FIELDS, row)) for row in rows]

    def one(self, mti, stan):
        found = [m for m in self.messages if m["mti"] == mti and m["bit11"] == stan]
        self.assertEqual(len(found), 1, f"{mti} {stan} in {self.messages}")
        return found[0]

    def test_the_conversation_went_as_meant(self):
        self.assertEqual(self.said.returncode, 0, self.said.stderr)
        words = [line.split() for line in self.said.stdout.splitlines()]
        self.assertEqual(
            [row[:3] for row in words],
            [["authorise", "approved", "00"], ["capture", "approved", "00"],
             ["capture-again", "approved", "00"], ["refund", "approved", "00"],
             ["refund-again", "approved", "00"],
             ["decline", "declined", "05"], ["authorise", "approved", "00"],
             ["reverse-part", "approved", "00"], ["reverse", "approved", "00"],
             ["reverse-unknown", "unknown", "25"], ["totals", "in_balance", "1"],
             ["totals-again", "in_balance", "1"], ["totals-off", "out_of_balance", "2"]])
        self.assertEqual(words[-1][3:], ["debits_amount", "net"])

    def test_nothing_is_malformed_and_nothing_draws_a_complaint(self):
        complaints = self.tshark(self.capture, "-Y", COMPLAINTS + " or tcp.analysis.flags")
        self.assertEqual(complaints, "")

    def test_every_message_is_read(self):
        kinds = sorted(message["mti"] for message in self.messages)
        self.assertEqual(
            kinds,
            sorted(["0800", "0810"] * 2 + ["0100", "0110"] * 3 + ["0220", "0221"] + ["0230"] * 2
                   + ["0200", "0201"] + ["0210"] * 2 + ["0420", "0421", "0421"] + ["0430"] * 3
                   + ["0500", "0501", "0510", "0510", "0520", "0530"]))

    def test_the_fields_are_those_that_were_sent(self):
        request = self.one("0100", "000001")
        self.assertEqual(request["bit2"], "4242424242424242")
        self.assertEqual(request["bit3"], "000000")
        self.assertEqual(request["bit4"], "000000004500")
        self.assertEqual(request["bit7"], "1124130405")
        self.assertEqual(request["bit32"], "123456")
        self.assertEqual(request["bit37"], "632913000001")
        self.assertEqual(request["bit41"], "TERM0001")
        self.assertEqual(request["bit42"], "ACCEPTOR0000001")
        self.assertEqual(request["bit43"], "Florin Shop              Berlin       DE")
        self.assertEqual(request["bit48"], "9203123")
        self.assertEqual(request["bit49"], "978")
        answer = self.one("0110", "000001")
        self.assertEqual((answer["bit39"], answer["bit2"]), ("00", ""))
        capture = self.one("0221", "000002")
        self.assertEqual(capture["bit38"], answer["bit38"])
        self.assertEqual(capture["bit90"], "010000000111241304050000012345600000000000")
        refund, again = self.one("0200", "000003"), self.one("0201", "000003")
        self.assertEqual(refund["bit3"], "200000")
        # A repeat says the same again, and that it does.
        self.assertEqual({**refund, "mti": "0201"}, again)
        self.assertEqual({**self.one("0220", "000002"), "mti": "0221"}, capture)
        self.assertEqual(self.one("0110", "000004")["bit39"], "05")
        self.assertEqual(self.one("0420", "000006")["bit95"], "000000000500000000000000C00000000C00000000")
        self.assertEqual(self.one("0430", "000008")["bit39"], "25")
        self.assertEqual([m["bit70"] for m in self.messages if m["mti"] == "0800"], ["001", "002"])

    # Fields 74 to 77, 86 to 89 and 97 of what was captured and refunded.
    TOTALS = {"bit74": "0000000001", "bit75": "0000000000", "bit76": "0000000001", "bit77": "0000000000",
              "bit86": "000000000001000", "bit87": "000000000000000", "bit88": "000000000004000",
              "bit89": "000000000000000", "bit97": "D0000000000003000"}
    DATE = {"bit15": "1124", "bit28": "", "bit24": "", "bit50": "978"}

    def test_totals_are_read(self):
        version = "1" if self.DATE["bit24"] else "0"
        request, again = self.one(version + "500", "000009"), self.one(version + "501", "000009")
        self.assertEqual({**request, "mti": version + "501"}, again)
        self.assertEqual({**request, **self.TOTALS, **self.DATE}, request)
        self.assertEqual((request["bit41"], request["bit49"], request["bit66"]), ("", "", ""))
        answers = [m for m in self.messages if m["mti"] == version + "510"]
        for answer in answers:
            self.assertEqual({**answer, **self.TOTALS, **self.DATE}, answer)
            self.assertEqual((answer["bit39"], answer["bit66"]), self.IN_BALANCE)
        # 1993: an answer has a field 7 of its own.
        self.assertEqual(*({**answer, "bit7": ""} for answer in answers))
        advice = self.one(version + "520", "000010")
        self.assertEqual(advice["bit88"], self.TOTALS["bit88"][:-4] + "3999")
        self.assertEqual(advice["bit97"], self.TOTALS["bit97"][:-4] + "2999")
        answer = self.one(version + "530", "000010")
        self.assertEqual({**answer, **self.TOTALS}, answer)
        self.assertEqual((answer["bit39"], answer["bit66"]), self.OUT_OF_BALANCE)

    IN_BALANCE, OUT_OF_BALANCE = ("", "1"), ("", "2")

    def test_the_check_itself_sees_a_broken_message(self):
        broken = os.path.join(self.folder.name, "broken.pcap")
        from_client, data = self.seen[0]
        # A length that claims one byte less than field 70 needs.
        write_capture(broken, [(from_client, struct.pack(">H", len(data) - 3) + data[2:-1])])
        self.assertNotEqual(self.tshark(broken, "-Y", COMPLAINTS), "")


class Packed(Ascii):
    """The same conversation with two digits a byte."""

    PACKAGING = "1987_bcd.toml"
    CHARSET = "Digits represented in nibbles"
    # tshark shows the sign as a digit too: the second nibble of the letter's byte.
    TOTALS = {**Ascii.TOTALS, "bit97": "40000000000003000"}


class Version1993(Ascii):
    """The same conversation in the words of ISO 8583:1993."""

    PACKAGING = "1993_ascii.toml"
    TOTALS = {**Ascii.TOTALS, **{f"bit{n}": "0" + Ascii.TOTALS[f"bit{n}"] for n in (86, 87, 88, 89)}}

    @classmethod
    def as_tshark_has_it(cls, packaging):
        return packaging

    def test_the_conversation_went_as_meant(self):
        self.assertEqual(self.said.returncode, 0, self.said.stderr)
        words = [line.split() for line in self.said.stdout.splitlines()]
        self.assertEqual(
            [row[:3] for row in words],
            [["authorise", "approved", "000"], ["capture", "approved", "901"],
             ["capture-again", "approved", "901"], ["refund", "approved", "000"],
             ["refund-again", "approved", "000"],
             ["decline", "declined", "100"], ["authorise", "approved", "000"],
             ["reverse-part", "approved", "400"], ["reverse", "approved", "400"],
             ["reverse-unknown", "unknown", "914"], ["totals", "in_balance", "500"],
             ["totals-again", "in_balance", "500"], ["totals-off", "out_of_balance", "501"]])

    def test_every_message_is_read(self):
        kinds = sorted(message["mti"] for message in self.messages)
        self.assertEqual(
            kinds,
            sorted(["1804", "1814"] * 2 + ["1100", "1110"] * 3 + ["1220", "1221"] + ["1230"] * 2
                   + ["1200", "1201"] + ["1210"] * 2 + ["1420", "1421", "1421"] + ["1430"] * 3
                   + ["1500", "1501", "1510", "1510", "1520", "1530"]))

    IN_BALANCE, OUT_OF_BALANCE = ("500", ""), ("501", "")

    @property
    def DATE(self):
        year = self.one("1500", "000009")["bit12"][:2]
        return {"bit15": "", "bit28": year + "1124", "bit24": "502", "bit50": "978"}

    def test_the_fields_are_those_that_were_sent(self):
        request = self.one("1100", "000001")
        year = request["bit12"][:2]
        self.assertEqual(request["bit2"], "4242424242424242")
        self.assertEqual(request["bit4"], "000000004500")
        self.assertEqual(request["bit7"], "1124130405")
        self.assertRegex(request["bit12"], "^[0-9]{2}1124130405$")
        self.assertEqual(request["bit22"], "100010100110")
        self.assertEqual(request["bit24"], "100")
        self.assertEqual(request["bit26"], "5999")
        self.assertEqual(request["bit43"], "Florin Shop              Berlin       DE")
        self.assertEqual(request["bit48"], "9203123")
        answer = self.one("1110", "000001")
        self.assertEqual((answer["bit39"], answer["bit2"]), ("000", ""))
        self.assertEqual(answer["bit12"], request["bit12"])
        capture = self.one("1221", "000002")
        self.assertEqual(capture["bit38"], answer["bit38"])
        self.assertEqual(capture["bit24"], "201")
        self.assertEqual(capture["bit56"], "1100000001" + year + "112413040506123456")
        self.assertEqual({**self.one("1220", "000002"), "mti": "1221"}, capture)
        self.assertEqual(self.one("1110", "000004")["bit39"], "100")
        part = self.one("1420", "000006")
        self.assertEqual((part["bit24"], part["bit25"]), ("401", "4000"))
        self.assertEqual((part["bit4"], part["bit30"]), ("000000000500", "000000004500000000000000"))
        self.assertEqual(self.one("1421", "000007")["bit24"], "400")
        self.assertEqual(self.one("1430", "000008")["bit39"], "914")
        self.assertEqual([m["bit24"] for m in self.messages if m["mti"] == "1804"], ["801", "802"])

    def test_the_check_itself_sees_a_broken_message(self):
        broken = os.path.join(self.folder.name, "broken.pcap")
        from_client, data = self.seen[0]
        # A length that claims one byte less than field 24 needs.
        write_capture(broken, [(from_client, struct.pack(">H", len(data) - 3) + data[2:-1])])
        self.assertNotEqual(self.tshark(broken, "-Y", COMPLAINTS), "")


def openssl(*arguments, data):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def cmac(cipher, key, data):
    said = openssl("mac", "-cipher", cipher, "-macopt", f"hexkey:{key}", "-in", "/dev/stdin", "CMAC", data=data)
    return bytes.fromhex(said.decode().strip())[:8]


def retail_mac(key, data):
    """ANSI X9.19 out of the cipher alone: each step is one run of openssl."""
    first, second = key[:16] * 3, key[16:] * 3
    data += bytes(-len(data) % 8)
    chained = openssl("enc", "-des-ede3-cbc", "-K", first, "-iv", "0" * 16, "-nopad", data=data)[-8:]
    decrypted = openssl("enc", "-d", "-des-ede3", "-K", second, "-nopad", data=chained)
    return openssl("enc", "-des-ede3", "-K", first, "-nopad", data=decrypted)


class Macs(unittest.TestCase):
    """OpenSSL's own program computes the MAC of every message again."""

    AES = "2b7e151628aed2a6abf7158809cf4f3c"
    TDES = "0123456789abcdeffedcba9876543210"

    def converse(self, packaging, algorithm, kind, key):
        with tempfile.TemporaryDirectory(prefix="florin-mac-") as folder:
            file = os.path.join(folder, "mac.key")
            with open(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
                out.write(key + "\n")
            said, seen = converse(folder, os.path.join(PACKAGINGS, packaging), (algorithm, kind, file))
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertEqual(len(said.stdout.splitlines()), 13, said.stdout)
        self.assertEqual(sum(" unknown " in line for line in said.stdout.splitlines()), 1, said.stdout)
        return seen

    def messages_of(self, seen):
        for _, data in seen:
            while data:
                size = struct.unpack(">H", data[:2])[0]
                yield data[2:2 + size]
                data = data[2 + size:]

    def check_all(self, packaging, algorithm, key, compute):
        count = 0
        for message in self.messages_of(self.converse(packaging, algorithm, "key", key)):
            maps = 2 if packaging == "1987_bcd.toml" else 4
            has_second = message[maps] & 0x80
            # The last bit of the last bitmap, and not that of field 64 beside one of 128.
            self.assertTrue(message[maps + (15 if has_second else 7)] & 1)
            self.assertFalse(has_second and message[maps + 7] & 1)
            self.assertEqual(message[-8:].hex(), compute(key, message[:-8]).hex())
            count += 1
        self.assertEqual(count, 30)

    def test_aes_cmac(self):
        self.check_all("1987_ascii.toml", "aes-cmac", self.AES, lambda key, data: cmac("AES-128-CBC", key, data))

    def test_triple_des_cmac(self):
        self.check_all("1993_ascii.toml", "tdes-cmac", self.TDES,
                       lambda key, data: cmac("DES-EDE3-CBC", key + key[:16], data))

    def test_retail_mac(self):
        self.check_all("1987_bcd.toml", "x9.19", self.TDES, retail_mac)

    def test_an_exchanged_retail_key_opens_under_its_key_encryption_key(self):
        seen = list(self.messages_of(self.converse("1987_ascii.toml", "x9.19", "kek", self.TDES)))
        answers = [m for m in seen if m.startswith(b"0810") and b"KB38" in m]
        self.assertEqual(len(answers), 1)
        block = bytes.fromhex(answers[0].split(b"KB38")[1][:38].decode())
        kek = self.TDES + self.TDES[:16]
        key = openssl("enc", "-d", "-des-ede3", "-K", kek, "-nopad", data=block[:16]).hex()
        value = openssl("enc", "-des-ede3", "-K", key + key[:16], "-nopad", data=bytes(8))
        self.assertEqual(value[:3], block[16:])
        financial = [m for m in seen if not m.startswith(b"08")]
        self.assertEqual(len(financial), 26)
        for message in financial:
            self.assertEqual(message[-8:].hex(), retail_mac(key, message[:-8]).hex())

    def test_exchanged_aes_keys_and_1993(self):
        seen = list(self.messages_of(self.converse("1993_ascii.toml", "aes-cmac", "kek", self.AES)))
        asking = [m for m in seen if m.startswith(b"1804") and m[-3:] == b"811"]
        self.assertEqual(len(asking), 1)


class Ebcdic(unittest.TestCase):
    """tshark reads no EBCDIC: Python's own codec turns the text of the conversation into ASCII."""

    def test_the_conversation_is_that_of_ascii(self):
        words = {}
        bytes_of = {}
        for packaging in ("1987_ascii.toml", "1987_ebcdic.toml"):
            with tempfile.TemporaryDirectory(prefix="florin-ebcdic-") as folder:
                said, seen = converse(folder, os.path.join(PACKAGINGS, packaging))
            self.assertEqual(said.returncode, 0, said.stderr)
            words[packaging] = said.stdout
            # Messages of network management have the time of the machine.
            bytes_of[packaging] = [
                data for from_client, data in seen
                if from_client and data[2:4] not in (b"08", "08".encode("cp1140"))]
        ours, theirs = words.values()
        self.assertEqual(ours, theirs)
        ascii_bytes, ebcdic_bytes = bytes_of.values()
        self.assertEqual(len(ascii_bytes), 13)
        for plain, packed in zip(ascii_bytes, ebcdic_bytes, strict=True):
            # Two bytes of length, four of MTI, one or two bitmaps, then text alone.
            maps = 16 if plain[6] & 0x80 else 8
            self.assertEqual(packed[:2], plain[:2])
            self.assertEqual(packed[2:6].decode("cp1140"), plain[2:6].decode())
            self.assertEqual(packed[6:6 + maps], plain[6:6 + maps])
            self.assertEqual(packed[6 + maps:].decode("cp1140"), plain[6 + maps:].decode())


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], verbosity=2, exit=False).result
    broken = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - broken} passed, {broken} failed")
    sys.exit(1 if broken else 0)
